"""Spark Structured Streaming: a tumbling window in append mode, until all is read. INPUT OUTPUT"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

RIDES = (
    "vendorid STRING, weekday STRING, pickuphour STRING, passenger STRING, distance STRING, "
    "pickup_time TIMESTAMP, fare DOUBLE, zone BIGINT, card STRING, tip DOUBLE"
)
LAST = '{"pickup_time":"2024-01-31T00:00:00.000Z","zone":-1,"distance":"0","fare":0,"tip":0}\n'
"""Append mode writes no window before the watermark has passed it: an event far ahead does that."""


def main(source: str, target: str) -> None:
    """Read the file, then the last event, and write the windows as JSON lines."""
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "in"
        folder.mkdir()
        (folder / "a.jsonl").symlink_to(Path(source).resolve())
        (folder / "b.jsonl").write_text(LAST)
        rides = spark.readStream.schema(RIDES).option("maxFilesPerTrigger", 1).json(str(folder))
        windows = (
            rides.withWatermark("pickup_time", "5 seconds")
            .groupBy("zone", f.window("pickup_time", "1 minute").alias("w"))
            .agg(
                f.count("*").alias("n"),
                f.sum("fare").alias("fare_sum"),
                f.avg("tip").alias("tip_avg"),
                f.max(f.col("distance").cast("double")).alias("dist_max"),
            )
            .selectExpr("zone", "n", "fare_sum", "tip_avg", "dist_max", "w.end AS window_end")
        )
        writer = windows.writeStream.format("json").option("path", f"{made}/out")
        writer = writer.option("checkpointLocation", f"{made}/state").outputMode("append")
        writer.trigger(availableNow=True).start().awaitTermination()
        with open(target, "wb") as out:
            for part in sorted(Path(made).glob("out/*.json")):
                with part.open("rb") as rows:
                    shutil.copyfileobj(rows, out)


main(sys.argv[1], sys.argv[2])
