"""Windows that hold their rows: sliding, session and snapshot windows, and all windows of
aggregates that need the rows themselves (percentiles, COLLECT, user aggregates)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...column import Column, concat
from ...errors import RunError
from ...expressions.nodes import Aggregation
from ...functions.aggregates.collect import TooMuchText
from ...grouping.grid import last_window, sessions, windows_of
from ...grouping.ranges import GroupedTimes, Ranges
from ...plan.windows import Hopping, Session, Sliding, Snapshot
from ..policies import BEGIN
from .keeper import Arrivals, Closed, Ints, Keeper

_Due = tuple[Ints, Ints, Ints, Ranges]
"""The ends and groups of windows that are due, an order of the rows, and their ranges in it."""


class RowKeeper(Keeper):
    """Holds rows in order of (time, arrival) until all their windows have closed."""

    def __init__(self, aggregations: Sequence[Aggregation]) -> None:
        super().__init__(aggregations)
        self._chunks: list[Arrivals] = []
        self._closed = BEGIN
        self._waiting: list[tuple[Arrivals, _Due]] = []  # the last is the next

    def add(self, rows: Arrivals) -> None:
        if len(rows.codes):
            self._chunks.append(rows)

    def _rows(self) -> Arrivals:
        """Return all rows held, as one piece."""
        if len(self._chunks) > 1:
            chunks = self._chunks
            own = [c.sessions for c in chunks if c.sessions is not None]
            self._chunks = [
                Arrivals(
                    np.concatenate([c.codes for c in chunks]),
                    np.concatenate([c.times for c in chunks]),
                    np.concatenate([c.events for c in chunks]),
                    [
                        [concat([c.inputs[i][j] for c in chunks]) for j in range(len(columns))]
                        for i, columns in enumerate(chunks[0].inputs)
                    ],
                    np.concatenate(own) if own else None,
                )
            ]
        return self._chunks[0]

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def close(self, time: int) -> Closed | None:
        if self._waiting:
            return self._portion()
        since, self._closed = self._closed, time
        if not self._chunks or not self._may_close(since, time):
            return None
        rows = self._rows()
        found = self._due(rows, since, time)
        closed = None
        if found is not None and len(found[0]):
            ends, codes, order, ranges = found
            by_time = np.lexsort((codes, ends))
            self._waiting.append(
                (rows, (ends[by_time], codes[by_time], order, ranges.take(by_time)))
            )
            closed = self._portion()
        keep = ~self._done(rows, time)
        if not keep.any():
            self._chunks = []
        elif not keep.all():
            self._chunks = [_filtered(rows, keep)]
        return closed

    def _portion(self) -> Closed:
        """Return the next of the windows that wait: as many as can be held at once."""
        while True:
            rows, (ends, codes, order, ranges) = self._waiting.pop()
            try:
                return self._values(rows, (ends, codes, order, ranges))
            except TooMuchText:
                half = len(ends) // 2
                if not half:
                    raise
            for some in (slice(half, None), slice(None, half)):
                part = Ranges(ranges.starts[some], ranges.ends[some])
                self._waiting.append((rows, (ends[some], codes[some], order, part)))

    def _values(self, rows: Arrivals, found: _Due) -> Closed:
        ends, codes, order, ranges = found
        times = rows.times[order]
        values = []
        for columns, aggregation in zip(rows.inputs, self._aggregations, strict=True):
            placed = [c.take(order) for c in columns]
            try:
                values.append(aggregation.function.over(placed, times, ranges))
            except TooMuchText as error:
                raise error.at(aggregation.span) from None
            except RunError as error:
                if error.event is None and error.row is not None:
                    error.event = int(rows.events[order[error.row]]) or None
                raise error.at(aggregation.span) from None
        return Closed(ends, codes, values)

    @abstractmethod
    def _due(self, rows: Arrivals, since: int, time: int) -> _Due | None:
        """Return the windows that end in [since, time)."""

    @abstractmethod
    def _done(self, rows: Arrivals, time: int) -> np.ndarray:
        """Return a mask of the rows that no window ending at `time` or later holds."""

    def _may_close(self, since: int, time: int) -> bool:
        """Tell cheaply whether anything can have come due."""
        return True

    @property
    def count(self) -> int:
        return sum(len(chunk.codes) for chunk in self._chunks)

    def live(self) -> Ints:
        return np.unique(self._rows().codes) if self._chunks else np.zeros(0, np.int64)

    def recode(self, moved: Ints) -> None:
        if self._chunks:
            rows = self._rows()
            self._chunks = [
                Arrivals(moved[rows.codes], rows.times, rows.events, rows.inputs, rows.sessions)
            ]

    def snapshot(self) -> dict[str, Any]:
        chunks = [[c.codes, c.times, c.events, c.inputs, c.sessions] for c in self._chunks]
        return {"closed": self._closed, "chunks": chunks}

    def restore(self, state: dict[str, Any]) -> None:
        self._closed = state["closed"]
        self._chunks = [Arrivals(*chunk) for chunk in state["chunks"]]


def _filtered(rows: Arrivals, keep: np.ndarray) -> Arrivals:
    inputs: list[list[Column]] = [[c.filter(keep) for c in columns] for columns in rows.inputs]
    own = None if rows.sessions is None else rows.sessions[keep]
    return Arrivals(rows.codes[keep], rows.times[keep], rows.events[keep], inputs, own)


def _distinct(codes: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Return the distinct pairs of group and time, in their order."""
    order = np.lexsort((times, codes))
    codes, times = codes[order], times[order]
    new = np.append(True, (np.diff(codes) != 0) | (np.diff(times) != 0))[: len(codes)]
    return codes[new], times[new]


class GridKeeper(RowKeeper):
    """Tumbling and hopping windows."""

    def __init__(self, window: Hopping, aggregations: Sequence[Aggregation]) -> None:
        super().__init__(aggregations)
        self._window = window

    def _due(self, rows: Arrivals, since: int, time: int) -> _Due | None:
        window = self._window
        at, ends = windows_of(rows.times, window.size, window.hop, window.offset)
        due = (ends >= since) & (ends < time)
        codes, ends = _distinct(rows.codes[at[due]], ends[due])
        placed = GroupedTimes(rows.codes, rows.times)
        return ends, codes, placed.order, placed.after_until(codes, ends - window.size, ends)

    def _done(self, rows: Arrivals, time: int) -> np.ndarray:
        window = self._window
        return last_window(rows.times, window.size, window.hop, window.offset) < time


class SnapshotKeeper(RowKeeper):
    """Rows of one instant."""

    def _due(self, rows: Arrivals, since: int, time: int) -> _Due | None:
        due = rows.times < time
        codes, ends = _distinct(rows.codes[due], rows.times[due])
        placed = GroupedTimes(rows.codes, rows.times)
        return ends, codes, placed.order, placed.from_until(codes, ends, ends)

    def _done(self, rows: Arrivals, time: int) -> np.ndarray:
        return rows.times < time


class SlidingKeeper(RowKeeper):
    """Rows of the last `size`: a result whenever one enters or leaves, per group."""

    def __init__(self, window: Sliding, aggregations: Sequence[Aggregation]) -> None:
        super().__init__(aggregations)
        self._size = window.size

    def _due(self, rows: Arrivals, since: int, time: int) -> _Due | None:
        exits = rows.times + self._size
        entering = (rows.times >= since) & (rows.times < time)
        leaving = (exits >= since) & (exits < time)
        if not (entering.any() or leaving.any()):
            return None
        codes, instants = _distinct(
            np.concatenate([rows.codes[entering], rows.codes[leaving]]),
            np.concatenate([rows.times[entering], exits[leaving]]),
        )
        touched = np.zeros(int(rows.codes.max()) + 1, bool)
        touched[codes] = True
        some = np.flatnonzero(touched[rows.codes])
        placed = GroupedTimes(rows.codes[some], rows.times[some])
        ranges = placed.after_until(codes, instants - self._size, instants)
        filled = np.flatnonzero(ranges.lengths > 0)
        order = some[placed.order]
        return instants[filled], codes[filled], order, ranges.take(filled)

    def _done(self, rows: Arrivals, time: int) -> np.ndarray:
        return rows.times + self._size < time


class SessionKeeper(RowKeeper):
    """Rows of open sessions."""

    def __init__(self, window: Session, aggregations: Sequence[Aggregation]) -> None:
        super().__init__(aggregations)
        self._timeout = window.timeout
        self._maximum = window.maximum
        self._soonest = BEGIN
        self._ended = np.zeros(0, bool)

    def _may_close(self, since: int, time: int) -> bool:
        """A session that begins now ends no sooner than after a timeout."""
        if since > BEGIN:
            self._soonest = min(self._soonest, since + min(self._timeout, self._maximum))
        return time > self._soonest

    def _due(self, rows: Arrivals, since: int, time: int) -> _Due | None:
        placed = GroupedTimes(rows.codes if rows.sessions is None else rows.sessions, rows.times)
        found, ends = sessions(placed, self._timeout, self._maximum)
        due = ends < time
        self._soonest = int(ends[~due].min()) if not due.all() else time
        numbers = np.repeat(np.arange(len(found)), found.lengths)
        self._ended = np.zeros(len(placed.order), bool)
        self._ended[placed.order] = due[numbers]
        inside = np.flatnonzero(due[numbers])
        if len(inside) == 0:
            return None
        some, number = placed.order[inside], numbers[inside]
        by_group = np.lexsort((rows.codes[some], number))
        order, number = some[by_group], number[by_group]
        codes = rows.codes[order]
        new = np.append(True, (np.diff(number) != 0) | (np.diff(codes) != 0))
        starts = np.flatnonzero(new)
        ranges = Ranges(starts, np.append(starts[1:], len(order)))
        return ends[number[starts]], codes[starts], order, ranges

    def _done(self, rows: Arrivals, time: int) -> np.ndarray:
        return self._ended


def keeper_of(
    window: Hopping | Sliding | Session | Snapshot, aggregations: Sequence[Aggregation]
) -> RowKeeper:
    """Return the keeper of rows for a window."""
    match window:
        case Hopping():
            return GridKeeper(window, aggregations)
        case Sliding():
            return SlidingKeeper(window, aggregations)
        case Session():
            return SessionKeeper(window, aggregations)
        case Snapshot():
            return SnapshotKeeper(aggregations)
