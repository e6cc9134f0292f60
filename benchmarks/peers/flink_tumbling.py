"""Flink SQL in streaming mode: a tumbling window over a bounded file. INPUT OUTPUT"""

import shutil
import sys
import tempfile
from pathlib import Path

from pyflink.table import EnvironmentSettings, TableEnvironment


def files(path: str) -> str:
    """Return the options of a table of JSON lines."""
    return (
        f"'connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', "
        "'json.timestamp-format.standard' = 'ISO-8601'"
    )


def main(source: str, target: str) -> None:
    """Run the window and put its files together."""
    table = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = table.get_config()
    config.set("parallelism.default", "2")
    config.set("pipeline.object-reuse", "true")
    config.set("table.local-time-zone", "UTC")
    with tempfile.TemporaryDirectory() as made:
        table.execute_sql(f"""
            CREATE TABLE rides (distance STRING, pickup_time TIMESTAMP_LTZ(3), fare DOUBLE,
                zone BIGINT, tip DOUBLE,
                WATERMARK FOR pickup_time AS pickup_time - INTERVAL '5' SECOND)
            WITH ({files(str(Path(source).resolve()))})""")
        table.execute_sql(f"""
            CREATE TABLE output (zone BIGINT, n BIGINT, fare_sum DOUBLE, tip_avg DOUBLE,
                dist_max DOUBLE, window_end TIMESTAMP(3)) WITH ({files(made + "/out")})""")
        table.execute_sql("""
            INSERT INTO output
            SELECT zone, COUNT(*), SUM(fare), AVG(tip), MAX(CAST(distance AS DOUBLE)), window_end
            FROM TABLE(TUMBLE(TABLE rides, DESCRIPTOR(pickup_time), INTERVAL '1' MINUTE))
            GROUP BY zone, window_start, window_end""").wait()
        with open(target, "wb") as out:
            for part in sorted(Path(made).glob("out/*")):
                with part.open("rb") as rows:
                    shutil.copyfileobj(rows, out)


main(sys.argv[1], sys.argv[2])
