"""What checkpoints cost: `python benchmarks/micro_checkpoint.py [pause|share|restart [SIZE]]...`.

- pause: how long the pipeline of a window with that many open groups waits for a checkpoint, and
  what a block of rows takes before, while one is being written and synced, and after. 8 million
  groups are about 1 GB. `STREAMQL_HOGS=2` lets so many other processes take all of a core each.
- share: wall and CPU of a tumbling window of 260 keys (as J2) with checkpoints, times that without,
  in ROUNDS pairs (3), of which now the one, now the other comes first. INTERVAL is the time between
  two (10s): 40 million events take 6 s on two cores, and with `INTERVAL=1s` there are some in
  between. The events are kept in BENCH_DATA, if that is set.
- restart: seconds from the start of a process to its first new row, with 100 MB of state.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from figures import Figure, tell, words
from measure import measure, streamql

QUERY = (
    "SELECT key, COUNT(*) AS n, SUM(value) AS total, AVG(value) AS mean, MAX(value) AS most "
    "INTO output FROM input TIMESTAMP BY at GROUP BY key, {}"
)
DAY = QUERY.format("TumblingWindow(day, 1)")
BATCH = 65_536
FIRST = 1_704_067_200_000_000
FIRST_DAY = np.datetime64("2024-01-01T00:00:00.000000")


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


class _Done(Exception):
    """All has been seen: the windows need not be put out."""


def pause(keys: int) -> list[Figure]:
    """Take one checkpoint of so many open groups, and time the blocks around it."""
    import streamql
    from streamql.runtime.coordinator import Coordinator

    blocks: list[tuple[float, str]] = []
    waits: list[float] = []
    phase, last, began, took = "before", time.perf_counter(), 0.0, 0.0
    first = -(-keys // BATCH) + 20

    def reached(point: str) -> None:
        nonlocal phase, last, began, took
        now = time.perf_counter()
        if point == "batch":
            blocks.append((now - last, phase))
            if sum(when == "after" for _, when in blocks) == 20:
                raise _Done
            last = time.perf_counter()
        elif point == "snapshot" and phase == "before":
            phase, began = "meanwhile", now
        elif point == "committed" and phase == "meanwhile":
            phase, took = "after", now - began

    step = Coordinator._snapshot

    def timed(self: Coordinator) -> object:
        began = time.perf_counter()
        found = step(self)
        waits.append(time.perf_counter() - began)
        return found

    Coordinator._snapshot = timed  # type: ignore[method-assign,assignment]
    hogs = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(int(os.environ.get("STREAMQL_HOGS", "0")))
    ]
    with tempfile.TemporaryDirectory() as folder, streamql.Engine(out_of_order="0s") as engine:
        schema = next(batches(1, 1)).schema
        stream = batches(keys, keys + 5_000 * BATCH)
        engine.register("input", pa.RecordBatchReader.from_batches(schema, stream))
        engine.checkpoint_due = lambda: len(blocks) >= first and phase == "before"
        engine.reached = reached
        out = str(Path(folder) / "rows.jsonl")
        job = engine.job(DAY, outputs={"output": out}, checkpoint=str(Path(folder) / "state"))
        with suppress(_Done):
            job.run()
        newest = max((Path(folder) / "state").glob("epoch-*/state.arrow"))
        size = newest.stat().st_size
    for hog in hogs:
        hog.kill()
        hog.wait()
    say(f"{keys:,} open groups, {_megabytes(size)} written in {took:.1f} s")
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
    text = f"the pipeline waits for a checkpoint of {_megabytes(size)}"
    return [Figure(text, waits[0] * 1000, 200, unit=" ms")]


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


def _lines(path: Path, count: int, keys: int) -> None:
    values = pa.array([f', "value": {n / 4}, "at": "' for n in range(97)])
    with path.open("wb") as file:
        for start in range(0, count, BATCH):
            numbers = np.arange(start, min(start + BATCH, count))
            lines = pc.binary_join_element_wise(
                '{"key": ',
                pa.array(numbers * 7919 % keys).cast(pa.string()),
                values.take(pa.array(numbers % 97)),
                pa.array(np.datetime_as_string(FIRST_DAY + numbers * 100).tolist()),
                'Z"}\n',
                "",
            )
            file.write("".join(lines.to_pylist()).encode())


def _command(folder: Path, query: str, *more: str, events: Path | None = None) -> list[str]:
    (folder / "query.sql").write_text(query)
    at = [str(folder / name) for name in ("query.sql", "events.jsonl", "rows.jsonl")]
    at[1] = at[1] if events is None else str(events)
    return [*streamql(), "run", at[0], "--input", at[1], "--output", at[2], "--quiet", *more]


def _events(folder: Path, count: int) -> Path:
    """Return the file with so many events, made when it is not there."""
    path = Path(os.environ.get("BENCH_DATA", folder)) / f"checkpoints-{count}.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _lines(path.with_suffix(".draft"), count, 260)
        path.with_suffix(".draft").rename(path)
    return path


def share(count: int) -> list[Figure]:
    """Compare whole runs with and without checkpoints, in pairs."""
    rounds = int(os.environ.get("ROUNDS", "3"))
    interval = os.environ.get("INTERVAL", "10s")
    kinds = ("without", "with")
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    taken: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        events = _events(folder, count)
        query = QUERY.format("TumblingWindow(second, 10)")
        for number in range(rounds):
            for kind in kinds if number % 2 == 0 else reversed(kinds):
                more: list[str] = []
                if kind != "without":
                    state = str(folder / f"state-{number}")
                    more = ["--checkpoint", state, "--set", f"checkpoint_interval={interval}"]
                run = measure(_command(folder, query, *more, events=events), folder / "log")
                if run.status:
                    raise SystemExit((folder / "log").read_text())
                found[kind].append((run.wall, run.cpu))
                (folder / "rows.jsonl").unlink()
            newest = max((folder / f"state-{number}").glob("epoch-*"))
            taken.append(int(newest.name.removeprefix("epoch-")))
    for (wall, cpu), (with_wall, with_cpu) in zip(*found.values(), strict=True):
        say(
            f"wall {wall:.2f} s without, {with_wall:.2f} s with checkpoints: "
            f"{with_wall / wall:.3f} times; cpu {cpu:.2f} s, {with_cpu:.2f} s: "
            f"{with_cpu / cpu:.3f} times"
        )
    ratios = [
        statistics.median(b[i] / a[i] for a, b in zip(*found.values(), strict=True)) for i in (0, 1)
    ]
    say(
        f"checkpoints every {interval} ({min(taken)} to {max(taken)} a run): "
        f"median wall {ratios[0]:.3f} times, cpu {ratios[1]:.3f} times"
    )
    text = f"checkpoints every {interval} ({min(taken)} to {max(taken)} a run) add to the"
    return [
        Figure(f"{text} {what}", 100 * ratio - 100, limit, unit=" %")
        for what, ratio, limit in zip(("time", "CPU seconds"), ratios, (5, None), strict=True)
    ]


def restart(keys: int) -> list[Figure]:
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
                file.write(f'{{"key": 1, "value": -1, "at": "{at}"}}\n')
            before = (folder / "seen.jsonl").stat().st_size
            began = time.perf_counter()
            process = subprocess.Popen(command)
            while (folder / "seen.jsonl").stat().st_size <= before and process.poll() is None:
                time.sleep(0.005)
            times.append(time.perf_counter() - began)
            if process.wait():
                raise SystemExit("the job failed")
        listed = ", ".join(f"{seconds:.2f}" for seconds in times)
        say(f"restart with {_megabytes(size)} of state: first new row after {listed} s")
    text = f"first new row of a new process with {_megabytes(size)} of state"
    return [Figure(text, statistics.median(times), 2, unit=" s")]


WHAT = {"pause": (pause, 8_000_000), "share": (share, 40_000_000), "restart": (restart, 700_000)}

if __name__ == "__main__":
    found = []
    given = words() or list(WHAT)
    if unknown := [word for word in given if word not in WHAT and not word.isdigit()]:
        raise SystemExit(f"no {', '.join(unknown)}; there are {', '.join(WHAT)}, and sizes")
    for name, following in zip(given, [*given[1:], ""], strict=True):
        if name in WHAT:
            what, size = WHAT[name]
            found += what(int(following) if following.isdigit() else size)
    tell(found)
