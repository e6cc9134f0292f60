"""Tumbling and hopping windows whose aggregates are kept up to date row by row.

Time is cut into panes, the largest pieces of which all windows are made: a tumbling window is one
pane. There is one slot of running values for each pane and group; a window's result is that of its
panes' slots. Rows need not come in order of time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...column import Column
from ...errors import RunError
from ...expressions.nodes import Aggregation
from ...functions.aggregate import Accumulator
from ...grouping.grid import last_window, next_end, windows_of
from ...grouping.keys import first_rows
from ...grouping.numbers import NumberTable
from ...grouping.ranges import Ranges
from ...plan.windows import Hopping
from ..policies import BEGIN
from .keeper import Arrivals, Closed, Ints, Keeper

_TIDY = 4_096
"""Slots that are done are given up when there are this many, and more than those in use."""


class PaneKeeper(Keeper):
    """One slot for each pane and group."""

    def __init__(self, window: Hopping, aggregations: Sequence[Aggregation]) -> None:
        super().__init__(aggregations)
        self._window = window
        self._pane = math.gcd(window.size, window.hop)
        self._states: list[Accumulator] = []
        for aggregation in aggregations:
            state = aggregation.function.accumulator()
            assert state is not None, "only aggregates with an accumulator need no rows"
            self._states.append(state)
        self._closed = BEGIN
        self._forget()

    def _forget(self) -> None:
        self._panes = NumberTable()
        self._slots = NumberTable()
        self._ends = np.zeros(0, np.int64)
        self._codes = np.zeros(0, np.int64)

    def add(self, rows: Arrivals) -> None:
        window = self._window
        ends = next_end(rows.times, self._pane, window.offset)
        inputs = rows.inputs
        codes, events = rows.codes, rows.events
        if window.hop > window.size:
            inside = last_window(rows.times, window.size, window.hop, window.offset) >= rows.times
            if not inside.all():
                ends, codes, events = ends[inside], codes[inside], events[inside]
                inputs = [[c.filter(inside) for c in columns] for columns in inputs]
        slots = self._slots_of(ends, codes)
        for state, columns, aggregation in zip(
            self._states, inputs, self._aggregations, strict=True
        ):
            try:
                state.add(slots, len(self._ends), columns)
            except RunError as error:
                if error.event is None and error.row is not None:
                    error.event = int(events[error.row]) or None
                raise error.at(aggregation.span) from None

    def _slots_of(self, ends: Ints, codes: Ints) -> Ints:
        # rows mostly come in order of time: one question for each run of rows of a pane
        runs = np.flatnonzero(np.append(True, ends[1:] != ends[:-1])[: len(ends)])
        lengths = np.diff(np.append(runs, len(ends)))
        panes = np.repeat(self._panes.codes(ends[runs]), lengths)
        slots = self._slots.codes((panes << 32) | codes)
        if len(slots) and slots.max() >= len(self._ends):
            rows = first_rows(slots, len(self._ends))
            self._ends = np.concatenate([self._ends, ends[rows]])
            self._codes = np.concatenate([self._codes, codes[rows]])
        return slots

    def close(self, time: int) -> Closed | None:
        window = self._window
        if len(self._ends) == 0:
            self._closed = time
            return None
        if window.tumbling:
            due = np.flatnonzero((self._ends < time) & (self._ends >= self._closed))
            ends = self._ends[due]
        else:
            # a pane (end - pane, end] lies in the windows in which its end lies
            due, ends = windows_of(self._ends, window.size, window.hop, window.offset)
            chosen = (ends < time) & (ends >= self._closed)
            due, ends = due[chosen], ends[chosen]
        self._closed = time
        if len(due) == 0:
            return None
        order = np.lexsort((self._ends[due], self._codes[due], ends))
        slots, ends = due[order], ends[order]
        codes = self._codes[slots]
        new = np.append(True, (np.diff(ends) != 0) | (np.diff(codes) != 0))
        starts = np.flatnonzero(new)
        ranges = Ranges(starts, np.append(starts[1:], len(slots)))
        closed = Closed(ends[starts], codes[starts], self._results(slots, ranges))
        self._tidy()
        return closed

    def _results(self, slots: Ints, ranges: Ranges) -> list[Column]:
        values = []
        for state, aggregation in zip(self._states, self._aggregations, strict=True):
            try:
                values.append(state.result(slots, ranges))
            except RunError as error:
                raise error.at(aggregation.span) from None
        return values

    def _open(self) -> Ints:
        window = self._window
        last = last_window(self._ends, window.size, window.hop, window.offset)
        return np.flatnonzero(last >= self._closed)

    def _tidy(self) -> None:
        slots = self._open()
        if len(self._ends) - len(slots) < max(_TIDY, len(slots)):
            return
        ends, codes = self._ends[slots], self._codes[slots]
        self._forget()
        self._slots_of(ends, codes)
        for state in self._states:
            state.keep(slots)

    @property
    def count(self) -> int:
        return len(self._ends)

    def live(self) -> Ints:
        return np.unique(self._codes)

    def recode(self, moved: Ints) -> None:
        ends, codes = self._ends, moved[self._codes]
        self._forget()
        self._slots_of(ends, codes)

    def snapshot(self) -> dict[str, Any]:
        return {
            "closed": self._closed,
            "ends": self._ends,
            "codes": self._codes,
            "states": [state.snapshot() for state in self._states],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._closed = state["closed"]
        self._slots_of(state["ends"], state["codes"])
        for accumulator, inner in zip(self._states, state["states"], strict=True):
            accumulator.restore(inner)
