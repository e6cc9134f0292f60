"""The world of the simulation, and what a job meets in it: sources, outputs, a disk for checkpoints."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence

import pyarrow as pa
from checkpointed import Crash
from lockstep import Turns

from streamql.column import Column
from streamql.connectors import staged
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
from streamql.errors import CheckpointError, InputError, OutputError
from streamql.formats.decoded import Decoded
from streamql.formats.json_write import JsonLinesEncoder
from streamql.instants import TICKS_PER_SECOND, parse_one
from streamql.runtime.storage import Storage, Write

_DAY = 86_400 * TICKS_PER_SECOND
_TODAY = parse_one("2024-01-20T00:00:00Z")


class World:
    """What happens to a job, decided by chance, ever less often, so that the job ends.

    Attributes:
        share: how often things go wrong.
        turns: who runs; another one for each start of the job.
        faults: how often which thing went wrong.
    """

    def __init__(self, seed: int | None) -> None:
        self.chance = random.Random(seed)
        self.share = 0.0 if seed is None else self.chance.choice((0.02, 0.1, 0.3))
        self.turns = Turns(self.chance)
        self.faults: dict[str, int] = {}
        self._clock = _TODAY

    def again(self) -> None:
        """The job is started once more: less goes wrong from here on."""
        self.share *= 0.85
        self.turns = Turns(self.chance)

    def strikes(self, fault: str, often: float) -> bool:
        """Tell whether something goes wrong now."""
        found = self.chance.random() < self.share * often
        if found:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        return found

    def crash_at(self, point: str) -> None:
        """Here the process may be gone, and whatever it would do afterwards is not done."""
        self.turns.turn()
        if self.strikes(f"crash {point}", 0.3):
            self.turns.die(Crash(point))

    def clock(self) -> int:
        """Return what time it is: mostly later than before, at times up to 20 days earlier."""
        self._clock += int(self.chance.random() * TICKS_PER_SECOND)
        if self.strikes("clock", 1.0):
            self._clock = _TODAY + int((self.chance.random() * 2 - 1) * 10 * _DAY)
        return self._clock


# -- sources --------------------------------------------------------------------------------------


class StallingSource(Source):
    """Events that come in blocks of any size, or not at all for a while; reading fails at times."""

    def __init__(self, name: str, rows: Sequence[dict], live: bool) -> None:
        self.name = name
        self.live = live
        self.rows = rows
        self.world = World(None)
        self._blocks: dict[tuple[int, int], Decoded | None] = {}

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        return _StallingReader(self, int((position or {}).get("events", 0)), self.world)

    def block(self, start: int, end: int) -> Decoded | None:
        """Return some of the events."""
        if (start, end) not in self._blocks:
            (block,) = MemorySource(self.rows[start:end]).open().read() or ()
            self._blocks[start, end] = shifted(block, start, 0)
        return self._blocks[start, end]


class _StallingReader(Reader):
    def __init__(self, source: StallingSource, at: int, world: World) -> None:
        self._source = source
        self._at = at
        self._world = world

    def read(self) -> list[Decoded] | None:
        world = self._world
        if self._at == len(self._source.rows):
            return None
        if world.strikes("stall", 0.5):
            world.turns.sleep(world.chance.random() * 10)
            return []
        if world.strikes("source", 0.05):
            raise InputError("the source of the simulation is out of order")
        end = min(len(self._source.rows), self._at + world.chance.choice((1, 5, 12, 25)))
        found = self._source.block(self._at, end)
        self._at = end
        return [] if found is None else [found]

    def position(self) -> Position:
        return {"events": self._at}

    def close(self) -> None:
        pass


# -- outputs --------------------------------------------------------------------------------------


ODD = "the output of the simulation takes no such row"


def is_odd(line: str) -> bool:
    """Tell whether outputs that may drop rows do not take this one."""
    return '"v":7' in line


class Disk:
    """What outlives a crash: rows that were written, as lines; in a table, how many of each job,
    and which of them it refused."""

    def __init__(self) -> None:
        self.refused: set[tuple[str | None, int]] = set()
        self.lines: list[str] = []
        self.stored: dict[str | None, int] = {}


def failing(world: World, name: str, what: str, often: float) -> None:
    """Fail at times, for a while or for good."""
    world.turns.turn()
    if world.strikes(f"sink {what}", often):
        passes = world.chance.random() < 0.5
        raise OutputError(f"{name} of the simulation fails in {what}", retriable=passes)


class TruncatedSink(Sink):
    """An output that can be cut back to a length, as a file."""

    delivery = EXACTLY_ONCE

    def __init__(self, name: str, disk: Disk, world: World) -> None:
        self.name = name
        self.disk = disk
        self._world = world

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        self._add(JsonLinesEncoder().columns(names, columns))

    def write_records(self, texts: pa.StringArray) -> None:
        self._add(JsonLinesEncoder().records(texts))

    def _add(self, encoded: bytes | pa.Buffer) -> None:
        failing(self._world, self.name, "write", 0.1)
        lines = bytes(encoded).decode().splitlines()
        for row, line in enumerate(lines if self.dropping else ()):
            if is_odd(line):
                raise OutputError(ODD, row=row)
        half = len(lines) // 2
        self.disk.lines += lines[:half]
        if self._world.strikes("sink torn", 0.1):
            raise OutputError("the output of the simulation is full")
        self._world.crash_at("row")
        self.disk.lines += lines[half:]
        self.rows += len(lines)

    def resume(self, state: SinkState | None) -> None:
        length = 0 if state is None else int(state["lines"])
        assert len(self.disk.lines) >= length
        del self.disk.lines[length:]
        self.rows = length

    def prepare(self, epoch: int) -> SinkState:
        failing(self._world, self.name, "prepare", 0.3)
        return {"lines": len(self.disk.lines)}

    def close(self) -> None:
        pass


class StoringSink(staged.StagedSink):
    """An output that stores rows in transactions, as a table of a database."""

    delivery = EXACTLY_ONCE

    def __init__(self, name: str, disk: Disk, world: World) -> None:
        super().__init__(name)
        self.disk = disk
        self._world = world

    def _fit(self, names: Sequence[str], columns: Sequence[Column]) -> staged.Part:
        failing(self._world, self.name, "write", 0.1)
        return self._lines(JsonLinesEncoder().columns(names, columns))

    def write_records(self, texts: pa.StringArray) -> None:
        if len(texts):
            self._take(self._lines(JsonLinesEncoder().records(texts)))

    def _lines(self, encoded: bytes | pa.Buffer) -> staged.Part:
        return staged.Part(("line",), (pa.array(bytes(encoded).decode().splitlines()),))

    def prepare(self, epoch: int) -> SinkState:
        failing(self._world, self.name, "prepare", 0.3)
        return super().prepare(epoch)

    def commit(self, epoch: int) -> None:
        failing(self._world, self.name, "commit", 0.3)
        super().commit(epoch)
        self._world.crash_at("stored")
        failing(self._world, self.name, "the answer to commit", 0.3)

    def _store(
        self, parts: Sequence[staged.Part], base: int, epoch: int | None
    ) -> Sequence[tuple[int, str]]:
        stored = self.disk.stored.get(self.job, 0)
        new = [
            line for p in staged.missing(parts, base, stored) for line in p.arrays[0].to_pylist()
        ]
        odd = [row for row, line in enumerate(new, stored) if self.dropping and is_odd(line)]
        self.disk.lines += [line for row, line in enumerate(new, stored) if row not in odd]
        self.disk.stored[self.job] = stored + len(new)
        self.disk.refused |= {(self.job, row) for row in odd}
        rows = range(base, base + sum(map(len, parts)))
        return [(row, ODD) for row in rows if (self.job, row) in self.disk.refused]

    def _text(self, part: staged.Part, row: int) -> str:
        return part.arrays[0][row].as_py()

    def _stored(self) -> int | None:
        return self.disk.stored.get(self.job)

    def _disconnect(self) -> None:
        pass


SINKS = (TruncatedSink, StoringSink)


# -- checkpoints ----------------------------------------------------------------------------------


class Shelf(Storage):
    """A disk for checkpoints that is full at times, and may lose what was not old after a crash."""

    name = "the checkpoints of the simulation"

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept: dict[int, dict[str, bytes]] = {}
        self._whole: set[int] = set()
        self._locked: Turns | None = None

    def lock(self, tell: Callable[[str], None] | None = None) -> None:
        assert self._locked is not self.world.turns, "two jobs in one place"
        self._locked = self.world.turns

    def unlock(self) -> None:
        self._locked = None

    def epochs(self) -> list[int]:
        return sorted(self.kept)

    def put(
        self, epoch: int, files: Sequence[tuple[str, Write]], before: Callable[[], None]
    ) -> int:
        found = {}
        for name, write in files:
            file = io.BytesIO()
            write(file)
            found[name] = file.getvalue()
            self.world.crash_at("file")
            if self.world.strikes("disk full", 0.1):
                raise CheckpointError("no space left in the simulation")
        before()
        assert epoch not in self.kept
        self.kept[epoch] = found
        self._whole.add(epoch)
        return sum(map(len, found.values()))

    def get(self, epoch: int, file: str) -> memoryview:
        found = self.kept[epoch].get(file)
        if found is None:
            raise FileNotFoundError(file)
        return memoryview(found)

    def remove(self, epoch: int) -> None:
        if self.world.chance.random() < 0.5:  # pruned later: more than are wanted may be there
            self.world.crash_at("prune")
        self.kept.pop(epoch, None)
        self._whole.discard(epoch)

    def lose(self) -> None:
        """Damage the newest checkpoint, if there is a whole one before it."""
        if len(self._whole) < 2 or not self.world.strikes("torn", 1.0):
            return
        newest = max(self.kept)
        self._whole.discard(newest)
        files, chance = self.kept[newest], self.world.chance
        name = chance.choice(sorted(files))
        data = bytearray(files[name])
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                del files[name]
                return
            case 1:
                del data[at:]
            case _:
                data[at] ^= 1 << chance.randrange(8)
        files[name] = bytes(data)
