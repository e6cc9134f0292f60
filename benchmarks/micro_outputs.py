"""Rows per second into tables, with checkpoints: `python benchmarks/micro_outputs.py [ROWS]`.

Rows of ten columns go into a SQLite file and, where Debian's postgresql is installed, into a
PostgreSQL server that is started for it; a checkpoint is prepared and committed ten times. Printed
are the rows per second of each, from the columns in memory to the last commit.
"""

import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from figures import Figure, tell, words
from shapes import missing

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from streamql.column import Column, from_values
from streamql.connectors.catalog import open_sink
from streamql.types import Type

GOALS = {"sqlite": 200_000, "postgresql": 20_000}
ROWS = 1_000_000
BATCH = 50_000
EPOCHS = 10
START = 17_000_000_000_000_000


def columns(first: int) -> dict[str, Column]:
    """Return the columns of one batch."""
    numbers = range(first, first + BATCH)
    return {
        "id": from_values(list(numbers)),
        "vendor": from_values([f"vendor {n % 7}" for n in numbers]),
        "fare": from_values([n % 1000 / 8 for n in numbers]),
        "tip": from_values([n % 100 / 4 for n in numbers]),
        "passengers": from_values([n % 5 for n in numbers]),
        "card": from_values([n % 3 == 0 for n in numbers]),
        "at": Column(Type.DATETIME, pa.array([START + n * 10_000 for n in numbers])),
        "zone": from_values([n % 263 for n in numbers]),
        "note": from_values([None if n % 2 else f"a note on {n}" for n in numbers]),
        "place": from_values([{"lat": n % 90 + 0.5, "lon": n % 180 + 0.5} for n in numbers]),
    }


def measure(name: str, uri: str, rows: int) -> Figure:
    """Write all rows to an output and print how fast."""
    batches = [columns(first) for first in range(0, rows, BATCH)]
    sink = open_sink(uri)
    sink.resume(None)
    began = time.perf_counter()
    every = max(1, len(batches) // EPOCHS)
    for number, batch in enumerate(batches, 1):
        sink.write(list(batch), list(batch.values()))
        if number % every == 0 or sink.full:
            sink.prepare(number)
            sink.commit(number)
    sink.prepare(len(batches) + 1)
    sink.commit(len(batches) + 1)
    seconds = time.perf_counter() - began
    sink.close()
    rate = len(batches) * BATCH / seconds
    sys.stdout.write(f"{name:<20} {rate:>12,.0f} rows/s\n")
    return goal(name, rate)


def goal(name: str, rate: float | None, lacking: str = "") -> Figure:
    return Figure(name, rate, GOALS[name.split()[0]], True, " rows/s", lacking)


def main(rows: int) -> list[Figure]:
    """Measure each output."""
    with tempfile.TemporaryDirectory() as folder:
        found = [
            measure("sqlite", f"sqlite://{folder}/a.db?table=rides", rows),
            measure("sqlite upsert", f"sqlite://{folder}/b.db?table=rides&key=id", rows),
        ]
    lacking = missing("psycopg")
    if lacking is None:
        import postgres_server

        lacking = None if postgres_server.programs() else postgres_server.MISSING
    if lacking:
        sys.stdout.write(f"postgresql is left out: {lacking}\n")
        return [*found, goal("postgresql", None, lacking)]
    server = postgres_server.PostgresServer()
    try:
        found += [
            measure("postgresql", f"{server.uri}?table=rides", rows),
            measure("postgresql upsert", f"{server.uri}?table=upserted&key=id", rows),
        ]
    finally:
        server.remove()
    return found


if __name__ == "__main__":
    tell(main(int((words() or [ROWS])[0])))
