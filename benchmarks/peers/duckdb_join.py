"""DuckDB: a range join of rides and payments. INPUT OUTPUT PAYMENTS"""

import sys

import duckdb
from duckdb_sources import PAYMENTS, RIDES, lines

duckdb.sql(f"""
    COPY (
        SELECT r.card, r.zone, r.fare, p.payment_id, p.amount,
               date_diff('millisecond', r.pickup_time, p.pay_time) AS lag_ms
        FROM {lines(sys.argv[1], RIDES)} r JOIN {lines(sys.argv[3], PAYMENTS)} p
          ON r.card = p.card
         AND p.pay_time BETWEEN r.pickup_time AND r.pickup_time + INTERVAL 10 SECOND
    ) TO '{sys.argv[2]}' (FORMAT JSON)
""")
