"""DuckDB: the rows of a tumbling window as one batch query. INPUT OUTPUT"""

import sys

import duckdb
from duckdb_sources import RIDES, lines

duckdb.sql(f"""
    COPY (
        SELECT zone, COUNT(*) AS n, SUM(fare) AS fare_sum, AVG(tip) AS tip_avg,
               MAX(distance::DOUBLE) AS dist_max,
               date_trunc('minute', pickup_time) + INTERVAL 1 MINUTE AS window_end
        FROM {lines(sys.argv[1], RIDES)} GROUP BY ALL
    ) TO '{sys.argv[2]}' (FORMAT JSON)
""")
