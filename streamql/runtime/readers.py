"""Inputs at run time: a thread that reads and decodes, and batches on the other side."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ..batch import MAIN, Batch
from ..connectors.contract import Position, last_event
from ..errors import DataError
from ..expressions.nodes import META
from ..formats.decoded import SAMPLE_BYTES, BadEvent, Decoded
from ..plan.reads import Reads
from ..rows import Rows
from ..settings import Settings
from ..turns import TURN
from .letters import InputLetters
from .levels import OldLevel, WithoutKeys
from .message import MessageRows
from .narrowing import narrowed, ticks_of
from .policies import TimeCounts
from .schema import conform

_AHEAD = 3
"""Blocks decoded ahead of the pipeline: enough to keep it busy, little enough to stay flat."""

_SHOWN = 200
"""How much of the first bad event is kept for the summary, in bytes."""


class Reading(Protocol):
    """What a connector's reader offers."""

    def read(self) -> list[Decoded] | None:
        """Return the events that are there now (may wait for some); None at the end."""

    def position(self) -> Position:
        """Return where to resume: after the last event that `read` returned."""

    def close(self) -> None:
        """Let go of the input."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A block, None at the end, and the position behind it."""

    block: Decoded | None
    position: Position


def _inside(before: Position, after: Position, block: Decoded) -> Position:
    """Return the position behind a block when the reader gave more in the same step.

    Nobody but the reader knows such a position: the step is read again, and its events skipped.
    """
    if before["partition"] != after["partition"]:
        before = {"partition": after["partition"]}
    return {**before, "after": last_event(block)}


@dataclass
class InputCounts:
    """What came in through one input.

    `given` events went on into the query; of the `bad` ones, `unfit` could be decoded but do not
    fit CREATE TABLE.
    """

    events: int = 0
    bad: int = 0
    unfit: int = 0
    given: int = 0
    dead_letters: int = 0
    first_bad: BadEvent | None = None
    invalid_times: int = 0
    first_invalid_time: int = 0
    times: TimeCounts = field(default_factory=TimeCounts.none)

    def invalid_time(self, count: int, first: int) -> None:
        """Count events without a valid time; `first` is the number of the first."""
        self.first_invalid_time = self.first_invalid_time or first
        self.invalid_times += count


@dataclass
class InputReader:
    """Reads one input in a thread of its own, never more than a few blocks ahead.

    `wake` is called from that thread whenever something new is there. `reads` tells which rows are
    wanted of the events. `clock` tells, in ticks, when events of a live input arrive: that is when
    the pipeline takes them, so that an instant that has passed brings no more of them. For tests
    `cut` yields the size of each next batch. `position` is where reading starts, and then where it
    would start after the last block that was taken: not where the thread is.
    """

    name: str
    open: Callable[[Position | None], Reading]
    settings: Settings
    start: int
    wake: Callable[[], None]
    cut: Iterator[int] | None = None
    reads: Reads = field(default_factory=Reads)
    clock: Callable[[], int] | None = None
    counts: InputCounts = field(default_factory=InputCounts)
    position: Position | None = None

    def __post_init__(self) -> None:
        self._blocks: queue.Queue[_Read | BaseException] = queue.Queue(_AHEAD)
        self._first: _Read | BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"read {self.name}", daemon=True)
        self.done = False
        self.letters = InputLetters(self.name, self.counts)

    def begin(self) -> None:
        """Start the thread, unless it has been started, or the input has ended."""
        if self._thread.ident is None and not self.done:
            self._thread.start()

    def stop(self) -> None:
        """Stop reading; the thread ends at its next block."""
        self._stopped.set()

    def _run(self) -> None:
        reading: Reading | None = None
        try:
            reading = self.open(self.position)
            position = reading.position()
            while not self._stopped.is_set():
                before = position
                blocks = reading.read()
                position = reading.position()
                if blocks is None:
                    break
                for number, block in enumerate(blocks, 1):
                    last = number == len(blocks)
                    at = position if last else _inside(before, position, block)
                    self._put(_Read(self._narrowed(block), at))
        except BaseException as error:  # noqa: BLE001 - handed over to the pipeline's thread
            self._put(error)
        else:
            self._put(_Read(None, position))
        finally:
            if reading is not None:
                reading.close()

    def _narrowed(self, block: Decoded) -> Decoded:
        """Decode the fields that will be asked for here, where it does not hold up the pipeline."""
        names, settings = self.reads.names, self.settings
        reserved = settings.arrival_field or settings.metadata_field
        plain = settings.compatibility_level == "1.2" and self.reads.columns is None
        if names is None or reserved or self.reads.metadata or not plain:
            return block
        with TURN:
            return replace(block, rows=narrowed(block.rows, names, self.reads.time))

    def _put(self, block: _Read | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                self._blocks.put(block, timeout=0.2)
            except queue.Full:
                continue
            self.wake()
            return

    def give(self, block: Decoded) -> None:
        """Take a block from a caller who reads in place of the thread."""
        self._put(_Read(self._narrowed(block), {}))

    @property
    def waiting(self) -> bool:
        """Whether a block is there to be taken."""
        return self._first is not None or not self._blocks.empty()

    def wait_for_more(self, stopping: threading.Event) -> bool:
        """Wait for the first block; tell whether the input has one, as far as is known.

        Nothing is known of an input that has said nothing before `stopping` is set.
        """
        while self._first is None and not stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self._first = self._blocks.get(timeout=0.1)
        if self._first is None:
            return False
        return not (isinstance(self._first, _Read) and self._first.block is None)

    @property
    def backlog(self) -> int:
        """How many events have been read and wait to be taken."""
        with self._blocks.mutex:
            blocks = [b for b in self._blocks.queue if isinstance(b, Decoded)]
        return sum(len(block.rows) + len(block.bad) for block in blocks)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of the next block; nothing when none is there.

        Sets `done` at the end of the input. Raises what reading raised.
        """
        try:
            found, self._first = self._first or self._blocks.get_nowait(), None
        except queue.Empty:
            return
        if isinstance(found, BaseException):
            raise found
        self.position = found.position
        block = found.block
        if block is None:
            self.done = True
            return
        batch, unfit = self._conforming(self._batch(block))
        self._count(block, batch.count, unfit)
        at = 0
        limit = self.settings.batch_rows
        while at < batch.count:
            size = next(self.cut) if self.cut else limit
            if at == 0 and size >= batch.count:
                yield batch
                return
            yield batch.take(np.arange(at, min(at + size, batch.count)))
            at += size

    def _count(self, block: Decoded, given: int, unfit: list[BadEvent]) -> None:
        """Count the events of a block, of which so many are given to the query.

        Events that do not fit are as bad as others: DataError where settings say so.
        """
        counts, dropped = self.counts, len(block.rows) - given
        counts.events += len(block.rows) + len(block.bad)
        counts.given += given
        if not block.bad and not unfit:
            return
        bad = min((*block.bad[:1], *unfit[:1]), key=lambda b: b.event)
        counts.bad += len(block.bad) + dropped
        counts.unfit += dropped
        counts.first_bad = counts.first_bad or replace(bad, text=bad.text[:_SHOWN])
        if self.settings.input_errors == "fail":
            where = f", line {bad.line}" if bad.line is not None else ""
            raise DataError(
                f"malformed event in {self.name}: {bad.reason}{where}",
                hint="--set input_errors=skip counts such events and goes on",
                event=bad.event,
            )
        self.letters.bad(sorted((*block.bad, *unfit), key=lambda b: b.event))

    def _batch(self, block: Decoded) -> Batch:
        rows: Rows = block.rows
        now = self.start if self.clock is None else self.clock()
        times = np.full(len(rows), now, np.int64)
        reserved = [f for f in (self.settings.arrival_field, self.settings.metadata_field) if f]
        if self.settings.arrival_field:
            arrivals, known = ticks_of(rows.field((self.settings.arrival_field,)))
            times[known] = arrivals[known]
        level = self.settings.compatibility_level
        relations: dict[str, Rows] = {}
        if self.reads.metadata:
            whole = rows if level == "1.2" else OldLevel(rows, level)
            relations[META] = MessageRows(whole, self.settings.metadata_field, block.events)
        if reserved:
            rows = WithoutKeys(rows, reserved, self.settings.metadata_field)
        if level != "1.2":
            rows = OldLevel(rows, level)
        return Batch({MAIN: rows, **relations}, times, block.events)

    def _conforming(self, batch: Batch) -> tuple[Batch, list[BadEvent]]:
        """Return the rows that fit what CREATE TABLE declares, and those that do not.

        Of these only the first, unless they are kept as dead letters.
        """
        if self.reads.columns is None or batch.count == 0:
            return batch, []
        rows, level = batch.relations[MAIN], self.settings.compatibility_level
        found = conform(rows, self.reads.columns, level)
        kept = batch.with_rows(MAIN, found.rows).filter(found.keep)
        if found.reason is None:
            return kept, []
        wrong = np.flatnonzero(~found.keep)
        unfit = []
        for row in wrong if self.letters.put is not None else wrong[:1]:
            one = rows.take(np.array([row]))
            reason = found.reason
            if row != wrong[0]:
                reason = conform(one, self.reads.columns, level).reason or reason
            text = one.record().to_json(marked=False)[0].as_py().encode()[:SAMPLE_BYTES]
            unfit.append(BadEvent(int(batch.events[row]), reason, text))
        return kept, unfit
