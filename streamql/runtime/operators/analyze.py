"""Analytic functions: LAG, LAST, ISFIRST, and aggregates OVER the last moments of a partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...batch import Batch
from ...column import Column, combine, concat
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import ANALYTIC, Analytic
from ...grouping.grid import next_end
from ...grouping.keys import KeyTable
from ...grouping.ranges import GroupedTimes, Ranges
from ...rows import ColumnRows
from ...types import Type
from ..held import Held
from ..operator import Operator, State
from ..policies import BEGIN

Ints = np.ndarray
_TIDY = 100_000
"""Keys are looked through for ones that nothing is held for when there are this many."""


class AnalyzeOperator(Operator):
    """Puts the results of analytic functions beside each row; nothing waits.

    Each function keeps the rows of its past that later rows can still ask for.
    """

    def __init__(self, calls: Sequence[tuple[str, Analytic]]) -> None:
        self._calls = [(name, _Past(call)) for name, call in calls]

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        values = Evaluation(batch)
        known = batch.relations.get(ANALYTIC)
        columns = dict(known.columns) if isinstance(known, ColumnRows) else {}
        for name, past in self._calls:
            columns[name] = past.results(batch, values)
        yield batch.with_rows(ANALYTIC, ColumnRows(columns, batch.count))

    def held(self) -> Held:
        pasts = [past for _, past in self._calls]
        rows = sum(past.count for past in pasts)
        return Held(rows, max(past.keys for past in pasts), (pasts,))

    def snapshot(self) -> State:
        return {name: past.snapshot() for name, past in self._calls}

    def restore(self, state: State) -> None:
        for name, past in self._calls:
            past.restore(state[name])


def _stops(
    placed: GroupedTimes,
    past_codes: Ints,
    past_times: Ints,
    codes: Ints,
    times: Ints,
    counts: np.ndarray,
) -> Ints:
    """Return, for each row of the batch, the place after the last row that counts up to it."""
    before = len(past_codes)
    if counts.all():
        place = np.empty(len(placed.order), np.int64)
        place[placed.order] = np.arange(len(placed.order))
        return place[before:] + 1
    everything = GroupedTimes(
        np.concatenate([past_codes, codes]), np.concatenate([past_times, times])
    )
    flags = np.append(np.ones(before, bool), counts)
    stops = np.empty(len(flags), np.int64)
    stops[everything.order] = np.cumsum(flags[everything.order])
    return stops[before:]


class _Past:
    """One analytic function and the rows it still needs.

    The past and the batch are laid one after the other and sorted by (partition, time, arrival);
    the rows that satisfy WHEN count. What a row asks for is a range of those before it.
    """

    def __init__(self, call: Analytic) -> None:
        self._call = call
        self._keys = KeyTable(len(call.partition))
        self._codes: Ints = np.zeros(0, np.int64)
        self._times: Ints = np.zeros(0, np.int64)
        self._inputs: list[Column] = []
        self._intervals: Ints = np.zeros(0, np.int64)

    @property
    def count(self) -> int:
        """How many rows are held."""
        return len(self._codes)

    @property
    def keys(self) -> int:
        """How many partitions are known."""
        return self._keys.count

    def results(self, batch: Batch, values: Evaluation) -> Column:
        """Return the result for each row of the batch, and take the rows over into the past."""
        call = self._call
        codes = self._keys.codes([values.column(p) for p in call.partition], batch.count)
        counts = np.ones(batch.count, bool) if call.when is None else values.truth(call.when)
        if call.kind == "first":
            return self._is_first(codes, batch.times, counts)
        inputs = [values.column(i) for i in call.inputs]
        try:
            return self._over(batch, values, codes, counts, inputs)
        except RunError as error:
            raise error.at(call.span) from None

    def _over(
        self,
        batch: Batch,
        values: Evaluation,
        codes: Ints,
        counts: np.ndarray,
        inputs: list[Column],
    ) -> Column:
        """Find the rows of the past for each row, then the value.

        Only the past of partitions that are in the batch is looked at.
        """
        call = self._call
        before, past_codes, past_times = self._past_of(codes)
        new = np.flatnonzero(counts)
        columns = [
            c.take(new) if len(before) == 0 else concat([p.take(before), c.take(new)])
            for p, c in zip(self._inputs or inputs, inputs, strict=True)
        ]
        placed = GroupedTimes(
            np.concatenate([past_codes, codes[new]]),
            np.concatenate([past_times, batch.times[new]]),
        )
        stops = _stops(placed, past_codes, past_times, codes, batch.times, counts)
        starts = placed.place(codes, batch.times - call.limit, "right")
        if call.kind == "lag":
            result = self._lag(values, columns, placed, starts, stops, counts)
        else:
            assert call.function is not None
            ordered = [c.take(placed.order) for c in columns]
            try:
                result = call.function.over(ordered, placed.times, Ranges(starts, stops))
            except RunError as error:
                self._blame(error, batch, placed, len(before), new)
                raise
        self._take_over(placed, before, columns, int(batch.times[-1]))
        return result

    def _past_of(self, codes: Ints) -> tuple[Ints, Ints, Ints]:
        if len(self._codes) == 0:
            return self._codes, self._codes, self._times
        present = np.zeros(max(int(self._codes.max()), int(codes.max())) + 1, bool)
        present[codes] = True
        before = np.flatnonzero(present[self._codes])
        return before, self._codes[before], self._times[before]

    def _lag(
        self,
        values: Evaluation,
        columns: list[Column],
        placed: GroupedTimes,
        starts: Ints,
        stops: Ints,
        counts: np.ndarray,
    ) -> Column:
        """Return the value `number` rows that count back; LAST is number 0."""
        call = self._call
        back = stops - 1
        if call.number > 0:
            # the row itself is not among its predecessors
            back = back - counts.astype(np.int64) - (call.number - 1)
        found = back >= starts
        count = len(starts)
        pieces: list[tuple[Ints | None, Column]] = []
        rows = np.flatnonzero(found)
        if len(rows):
            pieces.append((rows, columns[0].take(placed.order[back[rows]])))
        if call.default is not None and len(rows) < count:
            rest = np.flatnonzero(~found)
            pieces.append((rest, values.column(call.default).take(rest)))
        return combine(count, pieces)

    def _blame(
        self, error: RunError, batch: Batch, placed: GroupedTimes, before: int, new: Ints
    ) -> None:
        if error.row is None or error.event is not None:
            return
        row = int(placed.order[error.row]) - before
        if row >= 0:
            error.event = int(batch.events[new[row]]) or None

    def _take_over(
        self, placed: GroupedTimes, before: Ints, columns: list[Column], now: int
    ) -> None:
        """Add the rows to the past, and forget what no later row can ask for."""
        call = self._call
        keep = placed.times > now - call.limit
        if call.kind == "lag":
            ends = np.searchsorted(placed.codes, placed.codes, "right")
            keep &= ends - np.arange(len(ends)) <= max(call.number, 1)
        others = np.ones(len(self._codes), bool)
        others[before] = False
        others &= self._times > now - call.limit
        self._codes = np.concatenate([self._codes[others], placed.codes[keep]])
        self._times = np.concatenate([self._times[others], placed.times[keep]])
        fresh = [c.take(placed.order[keep]) for c in columns]
        self._inputs = [
            concat([old.filter(others), new])
            for old, new in zip(self._inputs or [c.slice(0, 0) for c in fresh], fresh, strict=True)
        ]
        self._tidy()

    def _tidy(self) -> None:
        """Forget the keys of partitions of which nothing is left, once there are many."""
        if self._keys.count < _TIDY or not self._call.partition:
            return
        live = np.unique(self._codes)
        if len(live) * 2 < self._keys.count:
            self._codes = self._keys.keep(live)[self._codes]

    def _is_first(self, codes: Ints, times: Ints, counts: np.ndarray) -> Column:
        """Tell whether a row is the first of its interval; intervals end at multiples."""
        intervals = next_end(times, self._call.number)
        result = np.zeros(len(codes), np.int64)
        rows = np.flatnonzero(counts)
        if len(rows):
            if len(self._intervals) < self._keys.count:
                more = np.full(self._keys.count - len(self._intervals), BEGIN)
                self._intervals = np.concatenate([self._intervals, more])
            order = rows[np.argsort(codes[rows], kind="stable")]
            key, at = codes[order], intervals[order]
            previous = np.append(BEGIN, at[:-1])
            first = np.append(True, key[1:] != key[:-1])
            previous[first] = self._intervals[key[first]]
            result[order] = at != previous
            last = np.append(key[1:] != key[:-1], True)
            self._intervals[key[last]] = at[last]
        return Column(Type.BIGINT, pa.array(result))

    def snapshot(self) -> dict[str, Any]:
        """Return the past as arrays and Columns."""
        return {
            "keys": self._keys.snapshot(),
            "codes": self._codes,
            "times": self._times,
            "inputs": self._inputs,
            "intervals": self._intervals.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._keys.restore(state["keys"])
        self._codes, self._times = state["codes"], state["times"]
        self._inputs, self._intervals = state["inputs"], state["intervals"]
