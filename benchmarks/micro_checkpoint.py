"""What checkpoints cost: `python benchmarks/micro_checkpoint.py [pause|share|restart] [KEYS]`.

- pause: how long the pipeline of a window with that many open groups waits for a checkpoint, and
  what a block of rows takes before, while one is being written, and after. 8 million groups are
  about 1 GB.
- share: wall and CPU of a tumbling window of 260 keys with a checkpoint every 10 s and every
  second, times that without, interleaved.
- restart: seconds from the start of a process to its first new row, with 100 MB of state.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import measure

QUERY = (
    "SELECT key, COUNT(*) AS n, SUM(value) AS total, AVG(value) AS mean, MAX(value) AS most "
    "INTO output FROM input TIMESTAMP BY at GROUP BY key, {}"
)
DAY = QUERY.format("TumblingWindow(day, 1)")
BATCH = 65_536
FIRST = 1_704_067_200_000_000


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def batches(keys: int, count: int) -> Iterator[pa.RecordBatch]:
    """Yield `count` events in order of time: every key once, then keys at random."""
    random = np.random.default_rng(1)
    for start in range(0, count, BATCH):
        numbers = np.arange(start, min(start + BATCH, count))
        known = numbers if start < keys else random.integers(0, keys, len(numbers))
        yield pa.RecordBatch.from_pydict(
            {
                "key": pa.array(known % keys),
                "value": pa.array((numbers % 97).astype(np.float64)),
                "at": pa.array(FIRST + numbers * 1000).cast(pa.timestamp("us", "UTC")),
            }
        )


def pause(keys: int) -> None:
    """Take one checkpoint of so many open groups, and time the blocks around it."""
    import streamql
    from streamql.runtime.coordinator import Coordinator

    blocks: list[tuple[float, str]] = []
    waits: list[float] = []
    phase, last = "before", time.perf_counter()
    first = -(-keys // BATCH) + 20

    def reached(point: str) -> None:
        nonlocal phase, last
        now = time.perf_counter()
        if point == "batch":
            blocks.append((now - last, phase))
            last = time.perf_counter()
        elif point == "snapshot" and phase == "before":
            phase = "meanwhile"
        elif point == "committed" and phase == "meanwhile":
            phase = "after"

    step = Coordinator._snapshot

    def timed(self: Coordinator) -> object:
        began = time.perf_counter()
        found = step(self)
        waits.append(time.perf_counter() - began)
        return found

    Coordinator._snapshot = timed  # type: ignore[method-assign,assignment]

    def stream() -> Iterator[pa.RecordBatch]:
        yield from batches(keys, keys + 60 * BATCH)

    with tempfile.TemporaryDirectory() as folder, streamql.Engine(out_of_order="0s") as engine:
        schema = next(batches(1, 1)).schema
        engine.register("input", pa.RecordBatchReader.from_batches(schema, stream()))
        engine.checkpoint_due = lambda: len(blocks) >= first and phase == "before"
        engine.reached = reached
        out = str(Path(folder) / "rows.jsonl")
        job = engine.job(DAY, outputs={"output": out}, checkpoint=str(Path(folder) / "state"))
        job.run()
        newest = max((Path(folder) / "state").glob("epoch-*/state.arrow"))
        size = newest.stat().st_size
    say(f"{keys:,} open groups, {size / 2**20:,.0f} MB written")
    say(f"the pipeline waits {waits[0] * 1000:.1f} ms")
    steady = [s for s, when in blocks[first - 15 : first] if when == "before"]
    for when, found in (
        ("before", steady),
        ("meanwhile", [s for s, w in blocks if w == "meanwhile"]),
        ("after", [s for s, w in blocks if w == "after"]),
    ):
        if found:
            typical, worst = statistics.median(found) * 1000, max(found) * 1000
            say(f"a block {when}: median {typical:.0f} ms, longest {worst:.0f} ms, of {len(found)}")


def _lines(path: Path, count: int, keys: int) -> None:
    with path.open("w") as file:
        for n in range(count):
            minute, second = divmod(n * 0.0001, 60)
            at = f"2024-01-01T{int(minute) // 60:02}:{int(minute) % 60:02}:{second:08.5f}Z"
            file.write(json.dumps({"key": n * 7919 % keys, "value": n % 97 / 4, "at": at}) + "\n")


def _command(folder: Path, query: str, *more: str) -> list[str]:
    (folder / "query.sql").write_text(query)
    beside = str(Path(sys.executable).with_name("streamql"))
    streamql = os.environ.get("STREAMQL", beside).split()
    at = [str(folder / name) for name in ("query.sql", "events.jsonl", "rows.jsonl")]
    return [*streamql, "run", at[0], "--input", at[1], "--output", at[2], "--quiet", *more]


def share(count: int) -> None:
    """Compare whole runs with and without checkpoints."""
    rounds = 3
    kinds = {"none": (), "every 10 s": ("10s",), "every 1 s": ("1s",)}
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _lines(folder / "events.jsonl", count, 260)
        for number in range(rounds):
            for kind, interval in kinds.items():
                more: list[str] = []
                if interval:
                    state = str(folder / f"state-{number}-{kind.replace(' ', '')}")
                    more = ["--checkpoint", state, "--set", f"checkpoint_interval={interval[0]}"]
                query = QUERY.format("TumblingWindow(second, 10)")
                run = measure(_command(folder, query, *more), folder / "log")
                if run.status:
                    raise SystemExit((folder / "log").read_text())
                found[kind].append((run.wall, run.cpu))
                (folder / "rows.jsonl").unlink()
    wall, cpu = (statistics.median(run[i] for run in found["none"]) for i in (0, 1))
    for kind, runs in found.items():
        walls, cpus = (statistics.median(run[i] for run in runs) for i in (0, 1))
        say(
            f"checkpoints {kind:10}: wall {walls:.2f} s, {walls / wall:.3f} times none; "
            f"cpu {cpus:.2f} s, {cpus / cpu:.3f} times none"
        )


def restart(keys: int) -> None:
    """Fill windows of an hour, stop, and time the way to the first row of a new process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _lines(folder / "events.jsonl", keys, keys)
        query = QUERY.format("HoppingWindow(hour, 10, 10)")
        query += "; SELECT key INTO seen FROM input WHERE value < 0"
        more = ["--checkpoint", str(folder / "state"), "--output", f"seen={folder / 'seen.jsonl'}"]
        command = _command(folder, query, *more)
        command[command.index("--output") + 1] = f"output={folder / 'rows.jsonl'}"
        subprocess.run(command, check=True)
        size = max((folder / "state").glob("epoch-*/state.arrow")).stat().st_size
        times = []
        for number in range(3):
            with (folder / "events.jsonl").open("a") as file:
                at = f"2024-01-01T09:{number:02}:00Z"
                file.write(json.dumps({"key": 1, "value": -1, "at": at}) + "\n")
            before = (folder / "seen.jsonl").stat().st_size
            began = time.perf_counter()
            process = subprocess.Popen(command)
            while (folder / "seen.jsonl").stat().st_size <= before and process.poll() is None:
                time.sleep(0.005)
            times.append(time.perf_counter() - began)
            if process.wait():
                raise SystemExit("the job failed")
        listed = ", ".join(f"{seconds:.2f}" for seconds in times)
        say(f"restart with {size / 2**20:,.0f} MB of state: first new row after {listed} s")


WHAT = {"pause": (pause, 8_000_000), "share": (share, 4_000_000), "restart": (restart, 700_000)}

if __name__ == "__main__":
    chosen = sys.argv[1:2] or list(WHAT)
    for each in chosen:
        what, size = WHAT[each]
        what(int(sys.argv[2]) if len(sys.argv) > 2 else size)
