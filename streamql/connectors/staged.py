"""Rows that wait for their transaction: the part of a sink that is the same for all databases.

In a job with checkpoints rows are staged until `prepare`, whose state holds them, and stored by
`commit`. The place where they go remembers, in the transaction that stores them, how many rows of
the job it has. So a commit that is repeated stores nothing twice, whoever died when; and after a
restart from an older checkpoint the rows that are there already are left out when they come again.
"""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ..column import Column
from ..errors import OutputError
from ..formats.expand import columns_of_records
from ..types import Array
from .contract import Refused, Sink, SinkState

FULL_BYTES = 64_000_000
"""Staged bytes beyond which a checkpoint is asked for."""

_AT_ONCE = 16_000_000
"""Staged bytes that are stored without waiting for `flush`, in a job without checkpoints."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows as they are stored: the names of the columns they have, and arrays of one length.

    `events` has the numbers of the events they came from, where that may be asked for.
    """

    names: tuple[str, ...]
    arrays: tuple[Array, ...]
    events: Array | None = None

    def __len__(self) -> int:
        return len(self.arrays[0])

    @property
    def size(self) -> int:
        """The bytes of the rows."""
        return sum(array.nbytes for array in self.arrays)

    def between(self, start: int, stop: int) -> Part:
        """Return some of the rows."""
        events = None if self.events is None else self.events.slice(start, stop - start)
        arrays = tuple(array.slice(start, stop - start) for array in self.arrays)
        return Part(self.names, arrays, events)


class StagedSink(Sink):
    """A sink that stores rows in transactions. Subclasses say how rows are fitted and stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.job: str | None = None
        self._parts: list[Part] = []
        self._prepared = 0  # so many of the parts
        self._size = 0
        self._base = 0  # rows of the job before the first of the parts
        self._failing = False  # rows could not be stored, and none came since
        self._stored_last: tuple[str | None, int | None] = None, None  # job and epoch

    # -- what a subclass does ---------------------------------------------------------------

    @abstractmethod
    def _fit(self, names: Sequence[str], columns: Sequence[Column]) -> Part:
        """Return rows as they are stored. Raises OutputError with the row that does not fit."""

    @abstractmethod
    def _store(
        self, parts: Sequence[Part], base: int, epoch: int | None
    ) -> Sequence[tuple[int, str]]:
        """Store rows in one transaction; `base` rows of the job came before them.

        With an epoch, rows that the place has already are left out (`missing`), and the place
        remembers the epoch and the number of rows. After an OutputError nothing was stored, as far
        as one can know. Returns the rows that the place refused, by their number in the job, each
        with the reason; also those that it refused when it got these rows before.
        """

    @abstractmethod
    def _text(self, part: Part, row: int) -> str:
        """Return a row as JSON."""

    @abstractmethod
    def _stored(self) -> int | None:
        """Return how many rows of the job the place has; None when it knows nothing of the job."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Free what is held."""

    # -- the contract -----------------------------------------------------------------------

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        if not columns or not len(columns[0]):
            return
        self._take(self._fit(names, columns))

    def _take(self, part: Part) -> None:
        """Stage rows, and store what is staged if that is much and nobody else will."""
        self._failing = False
        if self.dropping and self.events is not None and len(self.events) == len(part):
            part = replace(part, events=pa.array(self.events))
        self._parts.append(part)
        self._size += part.size
        if self.job is None and self._size >= _AT_ONCE:
            try:
                self._put()
            except OutputError as error:
                if error.retriable:  # the rows will be written again: they were not taken
                    self._size -= self._parts.pop().size
                raise
        self.rows += len(part)

    def write_records(self, texts: pa.StringArray) -> None:
        if len(texts):
            self.write(*columns_of_records(texts))

    def flush(self) -> None:
        """Store what was written; in a job with checkpoints `commit` does that."""
        if self.job is None:
            self._put()

    def resume(self, state: SinkState | None) -> None:
        if state is None:
            self.job, self._base = uuid.uuid4().hex, 0
            return
        if self._stored_last == (state["job"], state["epoch"]):
            return  # done, and tried again because the answer got lost
        self.job, self._base = str(state["job"]), int(state["base"])
        self._parts = [
            Part(tuple(p["names"]), tuple(p["arrays"]), p.get("events")) for p in state["parts"]
        ]
        self._prepared = len(self._parts)
        self._size = sum(part.size for part in self._parts)
        self.rows = int(state.get("rows", self._base + sum(map(len, self._parts))))
        stored = self._stored() or 0
        if stored < self._base:
            raise OutputError(
                f"{self.name} has {stored:,} rows of this job, and the checkpoint says that "
                f"{self._base:,} were committed",
                hint="it was emptied or restored from a copy; start again without the checkpoint",
            )
        self.commit(int(state["epoch"]))

    def prepare(self, epoch: int) -> SinkState:
        self._parts = list(_joined(self._parts))
        self._prepared = len(self._parts)
        parts = [
            {"names": list(p.names), "arrays": list(p.arrays), "events": p.events}
            for p in self._parts
        ]
        state = {"job": self.job, "base": self._base, "epoch": epoch, "parts": parts}
        return {**state, "rows": self.rows}

    def commit(self, epoch: int) -> None:
        parts = self._parts[: self._prepared]
        if parts:
            self._put_away(parts, epoch)

    @property
    def full(self) -> bool:
        return self._size >= FULL_BYTES

    def close(self) -> None:
        """Store what is left; where that has just failed it is not tried once more."""
        try:
            if not self._failing:
                self.flush()
        finally:
            self._disconnect()

    def _put(self) -> None:
        """Store what is staged; rows that can never be stored are given up with the error."""
        if not self._parts:
            return
        self._failing = True
        try:
            self._put_away(self._parts, None)
        except OutputError as error:
            if not error.retriable:
                self._forget(len(self._parts))
                self._failing = False
            raise
        self._failing = False

    def _put_away(self, parts: Sequence[Part], epoch: int | None) -> None:
        """Store the first of the parts, forget them, and tell which rows were refused."""
        refused = self._store(parts, self._base, epoch)
        base = self._base
        self._stored_last = self.job, epoch
        self._forget(len(parts))
        self.rows -= len(refused)
        if self.on_refused is None or not refused:
            return
        ends = np.cumsum([len(part) for part in parts])
        for number, reason in refused:
            at = int(np.searchsorted(ends, number - base, "right"))
            part, row = parts[at], number - base - int(ends[at] - len(parts[at]))
            event = None if part.events is None else part.events[row].as_py()
            self.on_refused(Refused(event, reason, self._text(part, row)))

    def _forget(self, count: int) -> None:
        done, self._parts = self._parts[:count], self._parts[count:]
        self._prepared = max(0, self._prepared - count)
        self._base += sum(map(len, done))
        self._size -= sum(part.size for part in done)


def missing(parts: Sequence[Part], base: int, stored: int) -> Iterator[Part]:
    """Yield the rows of the parts that a place with so many rows of the job does not have."""
    for part in parts:
        have = stored - base
        base += len(part)
        if have < len(part):
            yield part.between(have, len(part)) if have > 0 else part


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the rows in fewer parts: neighbours with the same columns are put together."""
    run: list[Part] = []
    for part in [*parts, None]:
        if run and (part is None or _form(part) != _form(run[0])):
            arrays: list[Any] = [
                pa.concat_arrays(list(same)) for same in zip(*(p.arrays for p in run), strict=True)
            ]
            events: Any = [p.events for p in run]
            numbers = None if run[0].events is None else pa.concat_arrays(events)
            yield Part(run[0].names, tuple(arrays), numbers)
            run = []
        if part is not None:
            run.append(part)


def _form(part: Part) -> tuple[Any, ...]:
    return part.names, tuple(array.type for array in part.arrays), part.events is None
