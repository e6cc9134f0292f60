"""DuckDB: the rows of a hopping window as one batch query. INPUT OUTPUT"""

import sys

import duckdb
from duckdb_sources import RIDES, lines

duckdb.sql(f"""
    COPY (
        SELECT zone, COUNT(*) AS n, AVG(fare) AS fare_avg,
               date_trunc('minute', pickup_time) + to_minutes(hop) AS window_end
        FROM {lines(sys.argv[1], RIDES)}, (SELECT unnest([1, 2, 3, 4, 5]) AS hop) GROUP BY ALL
    ) TO '{sys.argv[2]}' (FORMAT JSON)
""")
