"""DuckDB: filter and project. INPUT OUTPUT"""

import sys

import duckdb

TEXT = ("vendorid", "weekday", "pickuphour", "passenger", "distance", "pickup_time", "card")
COLUMNS = dict.fromkeys(TEXT, "VARCHAR") | {"fare": "DOUBLE", "zone": "BIGINT", "tip": "DOUBLE"}

duckdb.sql(f"""
    COPY (
        SELECT vendorid, zone, fare, tip, pickup_time, fare + tip AS total
        FROM read_json('{sys.argv[1]}', format = 'newline_delimited', columns = {COLUMNS})
        WHERE fare > 20 AND zone < 100
    ) TO '{sys.argv[2]}' (FORMAT JSON)
""")
