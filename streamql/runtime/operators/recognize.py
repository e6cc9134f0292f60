"""MATCH_RECOGNIZE: one row of measures for each match of a pattern of events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...batch import Batch, concat_batches, pack, unpack
from ...column import Column
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Field, walk
from ...grouping.keys import KeyTable
from ...plan.nodes import Recognize
from ...plan.pattern import BOUND
from ...rows import ColumnRows
from ..held import Held
from ..matching.buffer import Buffer, fresh
from ..matching.searches import Searches
from ..matching.slots import Ints, Slots, earliest_ends
from ..matching.values import classified, picked, take_picked
from ..matching.walk import Found
from ..matching.walk import walk as find_matches
from ..operator import Operator, State
from ..policies import BEGIN, END

_CLASSIFIER = "classifier"
_TIDY = 100_000
"""Partitions are looked through for ones that nothing is held for when there are so many more."""


class RecognizeOperator(Operator):
    """Finds the preferred match that begins with each row (AFTER MATCH SKIP TO NEXT ROW).

    Rows are kept from the first one on whose match is still open. A match is put out when nothing
    that is still open can end before it: results come in order of (last row, first row).
    Conditions on an event alone are computed for whole batches, for every event whether the pattern
    comes to ask or not, and matches are found for all rows side by side: 0.5 to 5 million rows a
    second. Conditions that look at events bound before are tried row by row (`attempts`): some ten
    thousand rows a second.
    """

    def __init__(self, plan: Recognize) -> None:
        self._plan = plan
        self._keys = KeyTable(len(plan.partition))
        self._tidy_at = _TIDY
        self._rows: Buffer | None = None
        self._number = 0
        self._now = BEGIN
        self._held: Batch | None = None
        self._places = np.zeros((2, 0), np.int64)  # number of last and first row of each held match
        self._searches = Searches(plan)
        self._classifies = any(
            isinstance(e, Field) and e.path == (_CLASSIFIER,)
            for _, measure in plan.measures
            for e in walk(measure)
        )

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        if batch.count == 0:
            return
        values = Evaluation(batch)
        codes = self._keys.codes([values.column(k) for k in self._plan.partition], batch.count)
        tests = [
            np.ones(batch.count, bool) if v.test is None else values.truth(v.test)
            for v in self._plan.variables
        ]
        kept = [values.column(k) for k in self._plan.kept]
        new = fresh(self._number, codes, batch.times, batch.events, tests, kept)
        self._number += batch.count
        self._rows = new if self._rows is None else self._rows.append(new)
        self._now = max(self._now, int(batch.times[-1]))
        yield from self._advance(codes)

    def on_watermark(self, time: int) -> Iterator[Batch]:
        self._now = max(self._now, time)
        if self._rows is not None:
            yield from self._advance(np.zeros(0, np.int64))

    def output_watermark(self, time: int) -> int:
        if self._rows is None:
            return time
        bound = self._rows.bound
        if bound == END:
            return time
        row = int(np.searchsorted(self._rows.numbers, bound))
        return min(time, int(self._rows.times[row]))

    def _advance(self, codes: Ints) -> Iterator[Batch]:
        """Look at the partitions of new rows, and at those where a match has run out of time."""
        rows = self._rows
        assert rows is not None
        late = rows.waiting & (rows.times <= self._now - self._plan.limit)
        concerned = np.zeros(self._keys.count, bool)
        concerned[codes] = True
        concerned[rows.codes[late]] = True
        chosen = concerned[rows.codes]
        if chosen.any():
            left = self._find(rows if chosen.all() else rows.take(np.flatnonzero(chosen)))
            if chosen.all():
                self._rows = left
            else:
                others = rows.take(np.flatnonzero(~chosen))
                both = others.append(left)
                self._rows = both.take(np.argsort(both.numbers, kind="stable"))
        yield from self._release()
        self._tidy()

    def _find(self, rows: Buffer) -> Buffer:
        """Hold the matches that are decided; return the rows that are still needed."""
        plan = self._plan
        slots = Slots(rows.codes, rows.times, plan.limit, self._now)
        masks = []
        for test in rows.tests:
            mask = np.zeros(len(slots.ends), bool)
            mask[slots.of_row] = test
            masks.append(mask)
        ends = earliest_ends(plan.pattern, masks, slots)
        least = np.minimum.reduce([ends[place] for place in plan.pattern.first])[slots.of_row]
        open_rows = rows.waiting & (least <= slots.limits)
        starts = np.flatnonzero(open_rows)
        if self._searches.needed:
            self._searches.feed(rows, self._now)
            found = [self._searches.search(rows, slots, starts)]
        else:
            found = find_matches(plan.pattern, ends, slots, starts)
        given_up = rows.numbers[rows.waiting & ~open_rows]
        rows.waiting[:] = False
        for part in found:
            rows.waiting[part.waiting] = True
            if len(part.rows):
                self._hold(rows, slots, part)
        before = least - 1
        last = rows.numbers[slots.order[slots.rows[np.minimum(before, len(slots.ends) - 1)]]]
        to_come = slots.ends[np.minimum(before, len(slots.ends) - 1)]
        rows.earliest[:] = np.where(to_come, END, last)
        left = rows.take(np.sort(_needed(rows, slots)))
        if self._searches.needed:
            self._searches.forget(rows.codes, left, given_up)
        return left

    def _hold(self, rows: Buffer, slots: Slots, found: Found) -> None:
        """Compute the measures of matches and keep them until it is their turn."""
        plan = self._plan
        columns: dict[str, Column] = {}
        for i, pick in enumerate(plan.picks):
            column = rows.kept[pick.field]
            chosen = picked(pick, found, plan.pattern, slots, column)
            columns[f"p{i}"] = take_picked(column, chosen)
        if self._classifies:
            names = [v.name for v in plan.variables]
            columns[_CLASSIFIER] = classified(found, plan.pattern, names)
        last = slots.order[slots.rows[found.ends - 1]]
        bound = {BOUND: ColumnRows(columns, len(found.rows))}
        values = Evaluation(Batch(bound, rows.times[last], rows.events[last]))
        measures = {name: values.column(value) for name, value in plan.measures}
        batch = values.batch.only(ColumnRows(measures, len(found.rows)))
        places = np.stack([rows.numbers[last], rows.numbers[found.rows]])
        self._held = batch if self._held is None else concat_batches([self._held, batch])
        self._places = np.concatenate([self._places, places], axis=1)

    def _release(self) -> Iterator[Batch]:
        held, rows = self._held, self._rows
        if held is None or rows is None:
            return
        ready = self._places[0] < rows.bound
        if not ready.any():
            return
        order = np.lexsort((self._places[1], self._places[0]))
        first, rest = order[ready[order]], order[~ready[order]]
        self._held = held.take(rest) if len(rest) else None
        self._places = self._places[:, rest]
        yield held.take(first)

    def _tidy(self) -> None:
        """Forget the keys of partitions of which nothing is left, once there are many."""
        if self._keys.count < self._tidy_at or self._rows is None or not self._plan.partition:
            return
        live = np.unique(self._rows.codes)
        if len(live) * 2 < self._keys.count:
            moved = self._keys.keep(live)
            self._rows.codes = moved[self._rows.codes]
            self._searches.recode(moved)
        self._tidy_at = max(_TIDY, 2 * self._keys.count)

    def held(self) -> Held:
        rows = 0 if self._rows is None else len(self._rows.codes)
        rows += 0 if self._held is None else self._held.count
        what = (self._rows, self._held, self._places, self._searches, self._keys)
        return Held(rows, self._keys.count, what)

    def snapshot(self) -> State:
        return {
            "keys": self._keys.snapshot(),
            "rows": None if self._rows is None else self._rows.snapshot(),
            "number": self._number,
            "now": self._now,
            "held": None if self._held is None else pack(self._held),
            "last": self._places[0],
            "first": self._places[1],
        }

    def restore(self, state: State) -> None:
        self._keys.restore(state["keys"])
        self._rows = None if state["rows"] is None else Buffer(**state["rows"])
        self._number, self._now = state["number"], state["now"]
        if self._rows is not None and self._searches.needed:
            self._searches.feed(self._rows, self._now)
        self._held = None if state["held"] is None else unpack(state["held"])
        self._places = np.stack([state["last"], state["first"]])


def _needed(rows: Buffer, slots: Slots) -> Ints:
    """Return the rows from the first waiting one of each partition on."""
    places = np.zeros(len(slots.ends), np.int64)
    places[slots.of_row] = rows.waiting
    so_far = np.cumsum(places)
    # what was counted up to the end of the partition before
    closed = np.maximum.accumulate(np.where(slots.ends, so_far, 0))
    before = np.append(0, closed[:-1])
    counted = so_far - before
    return np.flatnonzero(counted[slots.of_row] > 0)
