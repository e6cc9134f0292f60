"""A world in which everything goes wrong, by a seed: the same seed gives the same trouble.

Sources stall and fail, outputs fail in the middle of a write or between prepare and commit, models take
their time, and the process is gone at any batch and between any two steps of a checkpoint. What is left
in the end must be what an undisturbed job leaves.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from checkpointed import TASKS, Crash, Task
from fakes import FakeRemote

import streamql
from streamql.column import Column
from streamql.connectors.contract import (
    ALL,
    EXACTLY_ONCE,
    Position,
    Reader,
    Sink,
    SinkState,
    Source,
    shifted,
)
from streamql.connectors.memory import MemorySource
from streamql.errors import InputError, OutputError
from streamql.formats.decoded import Decoded
from streamql.formats.json_write import JsonLinesEncoder

_ATTEMPTS = 400
"""Restarts after which a job that does not end is a failure of its own."""


class Trouble:
    """Decides by chance what goes wrong, ever less often, so that a job ends.

    Each part of a job has a chance of its own, by the seed, the start and its name: what goes wrong
    with it does not depend on which thread was quicker.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.share = self.chance.choice((0.02, 0.1, 0.3))
        self.start = 0
        self._chances: dict[str, random.Random] = {}

    def again(self) -> None:
        """The job is started once more: less goes wrong from here on."""
        self.share *= 0.85
        self.start += 1
        self._chances.clear()

    def of(self, part: str) -> random.Random:
        """Return the chance of one part of the job."""
        return self._chances.setdefault(part, random.Random(f"{self.seed} {self.start} {part}"))

    def strikes(self, part: str, often: float) -> bool:
        """Tell whether something goes wrong with a part now."""
        return self.of(part).random() < self.share * often


class StallingSource(Source):
    """Events that come in blocks of any size, or not at all for a while; reading fails at times."""

    name = "a source of the simulation"

    def __init__(self, rows: Sequence[dict], chance: random.Random, share: float) -> None:
        self._rows = rows
        self._chance = chance
        self._share = share

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        at = int((position or {}).get("events", 0))
        return _StallingReader(self._rows, at, self._chance, self._share)


class _StallingReader(Reader):
    def __init__(self, rows: Sequence[dict], at: int, chance: random.Random, share: float) -> None:
        self._rows = rows
        self._at = at
        self._chance = chance
        self._share = share

    def read(self) -> list[Decoded] | None:
        if self._at == len(self._rows):
            return None
        if self._chance.random() < 0.2:
            return []
        if self._chance.random() < self._share / 20:
            raise InputError("the source of the simulation is out of order")
        end = min(len(self._rows), self._at + self._chance.randrange(1, 30))
        (block,) = MemorySource(self._rows[self._at : end]).open().read() or ()
        found = shifted(block, self._at, 0)
        self._at = end
        return [] if found is None else [found]

    def position(self) -> Position:
        return {"events": self._at}

    def close(self) -> None:
        pass


class Disk:
    """What outlives a crash: rows that were written, as lines, and the last epoch committed."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.epoch = 0


class TruncatedSink(Sink):
    """An output that can be cut back to a length, as a file."""

    delivery = EXACTLY_ONCE

    def __init__(self, name: str, disk: Disk, trouble: Trouble) -> None:
        self.name = name
        self.disk = disk
        self._trouble = trouble

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        self._add(JsonLinesEncoder().columns(names, columns))

    def write_records(self, texts: pa.StringArray) -> None:
        self._add(JsonLinesEncoder().records(texts))

    def _add(self, encoded: bytes | pa.Buffer) -> None:
        lines = bytes(encoded).decode().splitlines()
        if self._trouble.strikes(self.name, 0.2):
            self._keep(lines[: len(lines) // 2])  # torn in the middle
            raise OutputError("the output of the simulation is full")
        self._keep(lines)

    def _keep(self, lines: list[str]) -> None:
        self.disk.lines += lines
        self.rows += len(lines)

    def resume(self, state: SinkState | None) -> None:
        length = 0 if state is None else int(state["lines"])
        del self.disk.lines[length:]
        self.rows = length

    def prepare(self, epoch: int) -> SinkState:
        if self._trouble.strikes(self.name, 0.3):
            raise OutputError("the output of the simulation cannot be made to last")
        return {"lines": len(self.disk.lines)}

    def close(self) -> None:
        pass


class StagedSink(TruncatedSink):
    """An output that shows rows with a commit only, as a database."""

    def __init__(self, name: str, disk: Disk, trouble: Trouble) -> None:
        super().__init__(name, disk, trouble)
        self._staged: list[str] = []
        self._prepared: dict[int, list[str]] = {}

    def _keep(self, lines: list[str]) -> None:
        self._staged += lines
        self.rows += len(lines)

    def resume(self, state: SinkState | None) -> None:
        if state is None:
            self.disk.lines.clear()
            self.disk.epoch = 0
            return
        self._prepared[int(state["epoch"])] = list(state["lines"])
        self._show(int(state["epoch"]))

    def prepare(self, epoch: int) -> SinkState:
        if self._trouble.strikes(self.name, 0.3):
            raise OutputError("the output of the simulation cannot be made to last")
        self._prepared[epoch], self._staged = self._staged, []
        return {"epoch": epoch, "lines": self._prepared[epoch]}

    def commit(self, epoch: int) -> None:
        if self._trouble.strikes(self.name, 0.3):
            raise OutputError("the output of the simulation went away before it showed an epoch")
        self._show(epoch)
        if self._trouble.strikes(self.name, 0.3):
            raise OutputError("the output of the simulation went away after it showed an epoch")

    def _show(self, epoch: int) -> None:
        lines = self._prepared.pop(epoch, [])
        if epoch > self.disk.epoch:
            self.disk.lines += lines
            self.disk.epoch = epoch


SINKS = (TruncatedSink, StagedSink)


def outputs_of(task: Task) -> list[str]:
    """Return the names of a task's outputs."""
    return [name for name in ("o", "p") if f"INTO {name} " in task.query]


def undisturbed(task: Task) -> dict[str, list[str]]:
    """Return the rows of a job that nothing happens to."""
    disks = {name: Disk() for name in outputs_of(task)}
    calm = Trouble(0)
    calm.share = 0.0
    _run(task, disks, TruncatedSink, calm, None)
    return {name: disk.lines for name, disk in disks.items()}


def survive(seed: int, folder: Path, tasks: Sequence[Task] = tuple(TASKS.values())) -> tuple:
    """Run a job of the seed's choice until it ends; return the task, and the rows it left."""
    trouble = Trouble(seed)
    task = trouble.chance.choice(list(tasks))
    kind = trouble.chance.choice(SINKS)
    disks = {name: Disk() for name in outputs_of(task)}
    for _ in range(_ATTEMPTS):
        try:
            _run(task, disks, kind, trouble, folder)
        except (Crash, InputError, OutputError):
            trouble.again()
            continue
        return task, {name: disk.lines for name, disk in disks.items()}
    raise AssertionError(f"seed {seed}: no end after {_ATTEMPTS} restarts")


def _run(
    task: Task,
    disks: dict[str, Disk],
    kind: type[TruncatedSink],
    trouble: Trouble,
    folder: Path | None,
) -> None:
    chance = trouble.of("job")
    # every start has a moment of its own, and one may lie before the one before: clocks step back
    now = 638_000_000_000_000_000 + chance.randrange(10**12)
    with streamql.Engine(now=lambda: now, **task.settings) as engine:
        for name, rows in task.inputs.items():
            engine.register(name, StallingSource(rows, trouble.of(name), trouble.share))
        if task.remote is not None:
            engine.add_function(FakeRemote("score", task.remote, delay=chance.randrange(1, 8)))

        def reached(point: str) -> None:
            if trouble.strikes(point, 0.3):
                raise Crash(point)

        engine.checkpoint_due = lambda: chance.random() < 0.3
        engine.reached = reached
        sinks = {name: kind(name, disk, trouble) for name, disk in disks.items()}
        place = {} if folder is None else {"checkpoint": folder}
        engine.job(task.query, outputs=sinks, **place).run()
