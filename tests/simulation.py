"""A world in which everything goes wrong, by a seed: the same seed gives the same trouble.

Sources stall and fail, servers fail, outputs fail in the middle of a write, before, between and
after prepare and commit, clocks step back, disks are full, checkpoints are torn, and the process is
gone at any batch, in the middle of a file and between any two steps of a checkpoint. What is left in
the end must be what an undisturbed job leaves.

The job is the real one; its threads take turns by chance (`lockstep`), and its time is the world's.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

from checkpointed import TASKS, Crash, Task, events
from fakes import FakeRemote
from simulated import SINKS, Disk, Shelf, StallingSource, TruncatedSink, World

import streamql
from streamql.backends import local
from streamql.backends.continued import Checkpointing
from streamql.backends.identified import identity_of
from streamql.backends.local import Opened
from streamql.connectors.contract import Sink
from streamql.errors import CheckpointError, FunctionError, InputError, OutputError
from streamql.runtime import coordinator, delivery, readers, runner, writers
from streamql.runtime.store import Store

_ATTEMPTS = 400
"""Restarts after which a job that does not end is a failure of its own."""
_PARTED = (coordinator, delivery, local, readers, runner, writers)
"""The modules whose threads, queues and clocks are those of the world."""
JOBS = {
    name: replace(task, inputs={n: rows[: len(rows) // 3] for n, rows in task.inputs.items()})
    for name, task in TASKS.items()
}
"""The jobs of the simulation: short ones, so that there can be many."""


def _picky(value: int) -> int:
    if value % 5 == 1:
        raise ValueError("one of five")
    return value


JOBS["letters"] = Task(
    "SELECT id, udf.picky(v) AS v INTO o FROM a TIMESTAMP BY t; "
    "SELECT id, v INTO p FROM a TIMESTAMP BY t WHERE v > 3",
    {"a": [{**e, "t": "once"} if e["id"] % 9 == 4 else e for e in events(60)]},
    {"input_errors": "dead_letter", "function_errors": "dead_letter", "output_errors": "drop"},
    functions=lambda engine: engine.function(_picky, name="picky"),
)
LIVE = {"late_arrival": "60d"}
"""With live inputs the clock may be anywhere within this behind the events, and rows are the same."""


@dataclass
class Kind:
    """A task that is compiled once, and run in as many worlds as one likes."""

    task: Task
    live: bool = False
    outputs: list[str] = field(init=False)

    def __post_init__(self) -> None:
        task = self.task
        self.outputs = [name for name in ("o", "p") if f"INTO {name} " in task.query]
        settings = {"max_memory": "off", "max_state": "off", "output_errors": "retry"}
        more = dict(LIVE) if self.live else {}
        self._folder = tempfile.TemporaryDirectory(prefix="streamql-letters-")
        self.dead = Path(self._folder.name) / "dead.jsonl"
        if "dead_letter" in task.settings.values():
            more["dead_letters"] = str(self.dead)
        self.world = World(None)
        self.engine = streamql.Engine(
            now=lambda: self.world.clock(), **{**settings, **task.settings, **more}
        )
        self.engine.on_warning = lambda _: None
        self.sources = {n: StallingSource(n, rows, self.live) for n, rows in task.inputs.items()}
        for name, source in self.sources.items():
            self.engine.register(name, source)
        self.remote = None
        if task.remote is not None:
            self.remote = FakeRemote("score", self._answer)
            self.engine.add_function(self.remote)
        if task.functions is not None:
            task.functions(self.engine)
        self.plan = self.engine._compile(task.query)
        self.identity = identity_of(
            task.query, self.engine.settings, self.engine.functions.made_of()
        )

    def forget_letters(self) -> None:
        """Begin with an empty file of dead letters."""
        if self.dead.exists():
            self.dead.write_bytes(b"")

    def letters(self) -> dict[str, list[str]]:
        """Return what the dead letters are of, sorted: blocks have other sizes each time."""
        if not self.dead.exists():
            return {}
        found = [json.loads(line) for line in self.dead.read_text().splitlines()]
        kinds = (n.get("output") or n.get("input") or n["function"] for n in found)
        return {
            "dead letters": sorted(f"{k} {n['event']}" for k, n in zip(kinds, found, strict=True))
        }

    def _answer(self, value: Any) -> Any:
        assert self.task.remote is not None
        return "fail" if self.world.strikes("server", 0.02) else self.task.remote(value)

    def run(
        self, world: World, sinks: Mapping[str, Sink], shelf: Shelf | None, stop: bool = False
    ) -> bool:
        """Run the job as a new process would; tell whether it came to its end."""
        self.world = world
        for source in self.sources.values():
            source.world = world
        if self.remote is not None:
            self.remote._delay = world.chance.randrange(1, 8)
        stopping = Event()
        checkpointing = None
        if shelf is not None:

            def reached(point: str) -> None:
                world.crash_at(point)
                if stop and point == "batch" and world.chance.random() < 0.1:
                    stopping.set()

            store = Store(shelf, 3, lambda _: None)
            checkpointing = Checkpointing(store, self.identity, 10.0)
            checkpointing.due = lambda: world.chance.random() < 0.3
            checkpointing.reached = reached
        with world.turns.instead_of_threads(*_PARTED):
            opened = Opened(uris=dict(sinks))
            summary = self.engine._execute(self.plan, opened, checkpointing, stopping)
            world.turns.settle()
        return summary.checkpoints is None or not summary.checkpoints.stopped


_KINDS: dict[tuple[str, bool], Kind] = {}


def kind_of(task: Task, live: bool = False) -> Kind:
    """Return a task, compiled."""
    if (task.query, live) not in _KINDS:
        _KINDS[task.query, live] = Kind(task, live)
    return _KINDS[task.query, live]


def undisturbed(task: Task) -> dict[str, list[str]]:
    """Return the rows of a job that nothing happens to."""
    kind, world = kind_of(task), World(None)
    disks = {name: Disk() for name in kind.outputs}
    sinks = {name: TruncatedSink(name, disk, world) for name, disk in disks.items()}
    kind.forget_letters()
    assert kind.run(world, sinks, None)
    return {**{name: disk.lines for name, disk in disks.items()}, **kind.letters()}


@dataclass
class Story:
    """What became of a job in the world of a seed.

    Attributes:
        rows: what each output holds in the end.
        starts: how often the job was started.
        faults: how often which thing went wrong.
    """

    task: Task
    rows: dict[str, list[str]]
    starts: int
    faults: dict[str, int]


def survive(seed: int, tasks: Sequence[Task] = tuple(JOBS.values())) -> Story:
    """Run a job of the seed's choice until it ends, however often it has to be started."""
    world = World(seed)
    kind = kind_of(world.chance.choice(list(tasks)), world.chance.random() < 0.3)
    sink_of = world.chance.choice(SINKS)
    shelf = Shelf(world)
    disks = {name: Disk() for name in kind.outputs}
    kind.forget_letters()
    for number in range(1, _ATTEMPTS + 1):
        sinks = {name: sink_of(name, disk, world) for name, disk in disks.items()}
        try:
            ended = kind.run(world, sinks, shelf, stop=world.chance.random() < world.share)
        except (Crash, InputError, OutputError, FunctionError, CheckpointError):
            ended = False
            shelf.lose()
        if ended:
            rows = {**{name: disk.lines for name, disk in disks.items()}, **kind.letters()}
            return Story(kind.task, rows, number, world.faults)
        world.again()
    raise AssertionError(f"no end after {_ATTEMPTS} starts")
