"""Jobs with checkpoints, run in pieces: stopped, crashed and continued as often as a test likes.

A block of an input is what one read gives: `batch_bytes` of a file, a kilobyte here. `Run.reached`
is called at each step of a checkpoint and after each block, and what it raises ends the job as a
crash would: nothing after it is done.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fakes import FakeRemote

import streamql

START = 1_704_067_200


STORES = ["", "local://"]
"""Directories that are locked, and what any file system can do."""


class Crash(Exception):
    """The job is gone."""


def at(second: float) -> str:
    """Return an instant of the first day of 2024."""
    minute, rest = divmod(second, 60)
    return f"2024-01-01T{int(minute) // 60:02}:{int(minute) % 60:02}:{rest:06.3f}Z"


def events(count: int, seed: int = 1) -> list[dict]:
    """Return events up to 3 seconds out of order, with keys, numbers and gaps."""
    found = []
    for i in range(count):
        noise = (i * 7919 * seed + 13) % 31
        found.append({"id": i, "key": "abc"[noise % 3], "v": noise - 5, "t": at(i + noise % 4)})
    return found


@dataclass(frozen=True)
class Task:
    """A query, its inputs, and the functions it calls."""

    query: str
    inputs: dict[str, list[dict]]
    settings: dict[str, object] = field(default_factory=dict)
    remote: Callable[[object], object] | None = None
    functions: Callable[[streamql.Engine], None] | None = None


TASKS = {
    "filter": Task("SELECT id, v * 2 AS d INTO o FROM a WHERE v > 3", {"a": events(120)}),
    "tumbling": Task(
        "SELECT key, COUNT(*) AS n, SUM(v) AS s, MAX(id) AS last, System.Timestamp() AS w INTO o "
        "FROM a TIMESTAMP BY t GROUP BY key, TumblingWindow(second, 7)",
        {"a": events(150)},
        {"out_of_order": "2s"},
    ),
    "sliding": Task(
        "SELECT key, COUNT(*) AS n, COLLECT(v) AS vs INTO o FROM a TIMESTAMP BY t "
        "GROUP BY key, SlidingWindow(second, 5) HAVING COUNT(*) > 2",
        {"a": events(100)},
        {"out_of_order": "4s"},
    ),
    "join": Task(
        "SELECT a.id AS l, b.id AS r, b.v INTO o FROM a TIMESTAMP BY t LEFT JOIN b TIMESTAMP BY t "
        "ON a.key = b.key AND DATEDIFF(second, a, b) BETWEEN 0 AND 4 AND b.v > 10",
        {"a": events(90), "b": events(90, 3)},
        {"out_of_order": "4s"},
    ),
    "lag": Task(
        "SELECT id, LAG(v, 2) OVER (PARTITION BY key LIMIT DURATION(minute, 1)) AS before, "
        "ISFIRST(second, 10) OVER (PARTITION BY key) AS one INTO o FROM a TIMESTAMP BY t",
        {"a": events(120)},
        {"out_of_order": "1s"},
    ),
    "union": Task(
        "WITH u AS (SELECT id, v FROM a TIMESTAMP BY t UNION SELECT id, v FROM b TIMESTAMP BY t) "
        "SELECT id, v INTO o FROM u; "
        "SELECT COUNT(*) AS n, System.Timestamp() AS w INTO p FROM u GROUP BY HoppingWindow(second, 9, 3)",
        {"a": events(80), "b": events(110, 5)},
        {"out_of_order": "4s"},
    ),
    "match": Task(
        "SELECT * INTO o FROM a TIMESTAMP BY t MATCH_RECOGNIZE (LIMIT DURATION(second, 20) "
        "PARTITION BY key MEASURES FIRST(up.id) AS f, LAST(down.id) AS l "
        "AFTER MATCH SKIP TO NEXT ROW PATTERN (up+ down) DEFINE up AS up.v > 3, down AS down.v <= 3) "
        "AS m",
        {"a": events(120)},
        {"out_of_order": "4s"},
    ),
    "scoring": Task(
        "SELECT id, udf.score(v) AS y INTO o FROM a WHERE v > 0",
        {"a": events(120)},
        remote=lambda v: v * 10,
    ),
}


@dataclass
class Run:
    """A task in a folder: its inputs, outputs and checkpoints.

    Attributes:
        every: a checkpoint is taken after so many blocks.
        reached: called at each point with its name and how often it was reached, from 1 on.
        suffix: what the outputs' files are called: `.jsonl`, `.csv.gz`, ...
        store: what the path of the checkpoints begins with: nothing, or `local://`, which is a
            directory by way of fsspec, with what an object store can do.
        place: where the checkpoints are instead.
    """

    task: Task
    folder: Path
    every: int = 1
    reached: Callable[[str, int], None] | None = None
    suffix: str = ".jsonl"
    store: str = ""
    place: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.task.inputs.items():
            self.write(name, rows)
        self.warnings: list[str] = []
        self.blocks = 0

    def write(self, name: str, rows: list[dict], mode: str = "w") -> None:
        """Write the file of an input."""
        with (self.folder / f"{name}.jsonl").open(mode) as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def outputs(self) -> dict[str, str]:
        """Return the paths of the outputs."""
        names = [name for name in ("o", "p") if f"INTO {name} " in self.task.query]
        return {name: str(self.folder / f"out-{name}{self.suffix}") for name in names}

    def run(self, *, stop: int | None = None, checkpoint: bool = True, query=None, **flags):
        """Run the job as a new process would; with `stop` ask it to stop after so many blocks."""
        settings = {"batch_bytes": 1024, **self.task.settings, **flags.pop("settings", {})}
        with streamql.Engine(**settings) as engine:
            engine.on_warning = self.warnings.append
            for name in self.task.inputs:
                engine.register_uri(name, str(self.folder / f"{name}.jsonl"))
            if self.task.remote is not None:
                engine.add_function(FakeRemote("score", self.task.remote, delay=3))
            if self.task.functions is not None:
                self.task.functions(engine)
            self.blocks = 0
            counts: dict[str, int] = {}

            def reached(point: str) -> None:
                counts[point] = counts.get(point, 0) + 1
                self.blocks += point == "batch"
                if point == "batch" and self.blocks == stop:
                    job.stop()
                if self.reached is not None:
                    self.reached(point, counts[point])

            engine.checkpoint_due = lambda: self.blocks % self.every == 0
            engine.reached = reached
            if checkpoint:
                flags["checkpoint"] = self.place or f"{self.store}{self.checkpoints}"
            job = engine.job(query or self.task.query, outputs=self.outputs(), **flags)
            return job.run()

    def crash(self, point: str, number: int = 1, **flags) -> bool:
        """Run until a point is reached for the n-th time; tell whether it came to that."""

        def reached(at: str, times: int) -> None:
            if (at, times) == (point, number):
                raise Crash

        before, self.reached = self.reached, reached
        try:
            self.run(**flags)
        except Crash:
            return True
        finally:
            self.reached = before
        return False

    def rows(self) -> dict[str, bytes]:
        """Return what is in the outputs' files."""
        return {name: Path(path).read_bytes() for name, path in self.outputs().items()}


def undisturbed(task: Task, folder: Path, suffix: str = ".jsonl") -> dict[str, bytes]:
    """Return what the outputs hold when the job runs to its end without checkpoints."""
    run = Run(task, folder / "undisturbed", suffix=suffix)
    run.run(checkpoint=False)
    return run.rows()
