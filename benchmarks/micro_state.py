"""How much memory open groups take: `python benchmarks/micro_state.py [KEYS]`, or a million.

Events of that many keys go into windows that stay open to the end. Printed are the bytes that the
process grew by for each open group, and the peak of the whole process.
"""

import resource
import sys
import time
from collections.abc import Iterator

import pyarrow as pa

import streamql

KEYS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
EVENTS_PER_KEY = 2
BATCH = 65_536
WINDOWS = {
    "tumbling": "TumblingWindow(day, 1)",
    "session": "SessionWindow(hour, 24, 100) OVER (PARTITION BY key)",
}


def events() -> Iterator[pa.RecordBatch]:
    """Yield the events in order of time, each key twice."""
    total = KEYS * EVENTS_PER_KEY
    for start in range(0, total, BATCH):
        numbers = range(start, min(start + BATCH, total))
        yield pa.RecordBatch.from_pydict(
            {
                "key": [f"key-{n % KEYS:07}" for n in numbers],
                "value": [float(n % 97) for n in numbers],
                "at": pa.array([1_704_067_200_000_000 + n * 1000 for n in numbers]).cast(
                    pa.timestamp("us", "UTC")
                ),
            }
        )


def peak() -> int:
    """Return the most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(kind: str) -> None:
    """Run one kind of window and print what it took."""
    window = WINDOWS[kind].replace("hour, 24, 100", "hour, 24, 168")
    query = (
        "SELECT key, COUNT(*) AS n, SUM(value) AS total FROM input TIMESTAMP BY at "
        f"GROUP BY key, {window}"
    )
    with streamql.Engine(out_of_order="0s") as engine:
        engine.register("input", pa.RecordBatchReader.from_batches(next(events()).schema, events()))
        before, began = peak(), time.perf_counter()
        rows = sum(batch.count for batch in engine.sql(query).batches())
        seconds = time.perf_counter() - began
    grown = peak() - before
    rate = KEYS * EVENTS_PER_KEY / seconds
    sys.stdout.write(
        f"{kind:9} {KEYS:,} open groups: {grown / KEYS:,.0f} bytes each, peak "
        f"{peak() / 2**20:,.0f} MB, {rate:,.0f} events/s, {rows:,} rows\n"
    )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        main(sys.argv[2])
    else:
        import subprocess

        for each in WINDOWS:
            subprocess.run([sys.executable, __file__, str(KEYS), each], check=True)
