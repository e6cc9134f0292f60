"""Temporal joins: two streams, rows of which match when they are close enough in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...batch import Batch, concat_batches, pack, unpack
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...grouping.keys import KeyTable
from ...grouping.ranges import GroupedTimes, argsort_codes
from ...instants import MAX_TICKS
from ...plan.nodes import Bound, Join
from ..held import Held
from ..joined import joined, named, time_of
from ..operator import Operator, State
from ..policies import BEGIN, END
from ..reorder import Waiting

Ints = np.ndarray
_PAIRS = 262_144
"""Pairs that the condition is evaluated for at a time."""
_TIDY = 200_000
"""Keys are looked through for ones that no row has any more when there are this many more."""


@dataclass
class _Side:
    """The rows of one side: those that have been joined, and those whose time has not come."""

    kept: Batch | None = None
    codes: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    matched: Ints = field(default_factory=lambda: np.zeros(0, bool))
    waiting: list[tuple[Batch, Ints]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many rows are held."""
        kept = 0 if self.kept is None else self.kept.count
        return kept + sum(batch.count for batch, _ in self.waiting)

    def ready(self, time: int) -> tuple[Batch, Ints] | None:
        """Take out the waiting rows before `time`."""
        found: list[tuple[Batch, Ints]] = []
        rest: list[tuple[Batch, Ints]] = []
        for batch, codes in self.waiting:
            count = batch.count if time == END else int(np.searchsorted(batch.times, time))
            if count == batch.count:
                found.append((batch, codes))
            elif count == 0:
                rest.append((batch, codes))
            else:
                head, tail = np.arange(count), np.arange(count, batch.count)
                found.append((batch.take(head), codes[:count]))
                rest.append((batch.take(tail), codes[count:]))
        self.waiting = rest
        if not found:
            return None
        return concat_batches([b for b, _ in found]), np.concatenate([c for _, c in found])

    def add(self, new: tuple[Batch, Ints] | None) -> int:
        """Put rows to those that have been joined; return the number of the first of them."""
        before = 0 if self.kept is None else self.kept.count
        if new is not None:
            batch, codes = new
            self.kept = batch if self.kept is None else concat_batches([self.kept, batch])
            self.codes = np.concatenate([self.codes, codes])
            self.matched = np.append(self.matched, np.zeros(len(codes), bool))
        return before

    def keep(self, mask: Ints) -> None:
        """Forget the other rows."""
        if self.kept is not None and not mask.all():
            self.kept = self.kept.filter(mask) if mask.any() else None
            self.codes, self.matched = self.codes[mask], self.matched[mask]

    def snapshot(self) -> State:
        return {
            "kept": None if self.kept is None else pack(self.kept),
            "codes": self.codes,
            "matched": self.matched.copy(),
            "waiting": [{"batch": pack(b), "codes": c} for b, c in self.waiting],
        }

    def restore(self, state: State) -> None:
        self.kept = None if state["kept"] is None else unpack(state["kept"])
        self.codes, self.matched = state["codes"], state["matched"]
        self.waiting = [(unpack(w["batch"]), w["codes"]) for w in state["waiting"]]


class JoinOperator(Operator):
    """Keeps both sides as long as a row of the other side can still match.

    A pair has the later of the two times. A row of the left side without a match leaves a LEFT JOIN
    once no match can come any more, at its own time plus the upper bound. Results
    leave in order of time; at one instant pairs come in the order of the left rows, then of the
    right rows, then the rows without a match.
    """

    def __init__(self, plan: Join) -> None:
        self._plan = plan
        self._left_keys = tuple(left for left, _ in plan.keys)
        self._right_keys = tuple(right for _, right in plan.keys)
        self._keys = KeyTable(len(plan.keys), bits_are_numbers=True)
        self._tidy_at = _TIDY
        self._left = _Side()
        self._right = _Side()
        self._results = Waiting()
        # with coarse units a match may come later than the time of a miss
        self._slack = max(b.unit for b in plan.bounds) if plan.outer else 0

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        plan = self._plan
        if port == 0:
            batch = named(batch, plan.left_key)
            self._left.waiting.append((batch, self._codes(batch, self._left_keys)))
        else:
            batch = named(batch, plan.right_key)
            self._right.waiting.append((batch, self._codes(batch, self._right_keys)))
        return ()

    def _codes(self, batch: Batch, keys: tuple[Expr, ...]) -> Ints:
        values = Evaluation(batch)
        return self._keys.codes([values.column(k) for k in keys], batch.count, nulls=False)

    def on_watermark(self, time: int) -> Iterator[Batch]:
        left_from = self._left.add(self._left.ready(time))
        right_from = self._right.add(self._right.ready(time))
        self._match(left_from, right_from)
        self._expire(time)
        yield from self._results.until(self.output_watermark(time) - 1 if time != END else END)

    def output_watermark(self, time: int) -> int:
        return time if time in (BEGIN, END) else time - self._slack

    # -- pairs ------------------------------------------------------------------------------

    def _match(self, left_from: int, right_from: int) -> None:
        """Join the new left rows with all right rows, and the old left rows with the new ones."""
        left, right = self._left.kept, self._right.kept
        if left is None or right is None:
            return
        found: list[tuple[Ints, Ints]] = []
        old, new = np.arange(left_from), np.arange(left_from, left.count)
        for rows, start in ((old, right_from), (new, 0)):
            if len(rows) and start < right.count:
                found += self._pairs(left, rows, right, start)
        if not found:
            return
        lefts = np.concatenate([f[0] for f in found])
        rights = np.concatenate([f[1] for f in found])
        times = np.maximum(left.times[lefts], right.times[rights])
        order = np.lexsort((rights, lefts, times))
        lefts, rights, times = lefts[order], rights[order], times[order]
        self._left.matched[lefts] = True
        self._results.add(joined(self._plan, left, right, lefts, rights, times))

    def _pairs(
        self, left: Batch, rows: Ints, right: Batch, start: int
    ) -> Iterator[tuple[Ints, Ints]]:
        """Yield the pairs of these left rows and the right rows from `start` on."""
        # questions in the order of the answers: a binary search stays where it is
        rows = rows[argsort_codes(np.maximum(self._left.codes[rows], 0))]
        low, high, known = self._reach(left, rows)
        placed = GroupedTimes(self._right.codes[start:], right.times[start:])
        codes = self._left.codes[rows]
        ranges = placed.from_until(np.maximum(codes, 0), low, high)
        able = np.flatnonzero(known & (codes >= 0) & (ranges.lengths > 0))
        ranges, rows = ranges.take(able), rows[able]
        sums = np.cumsum(ranges.lengths)
        first = 0
        while first < len(rows):
            done = sums[first - 1] if first else 0
            last = max(int(np.searchsorted(sums, done + _PAIRS, "right")), first + 1)
            places, owners = ranges.take(np.arange(first, last)).flat()
            lefts, rights = rows[first + owners], placed.order[places] + start
            if self._plan.condition is not None:
                candidate = joined(self._plan, left, right, lefts, rights, left.times[lefts])
                true = Evaluation(candidate).truth(self._plan.condition)
                lefts, rights = lefts[true], rights[true]
            yield lefts, rights
            first = last

    def _reach(self, left: Batch, rows: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the first and last time a match of each left row can have; False: no match."""
        low = np.full(len(rows), BEGIN)
        high = np.full(len(rows), END)
        known = np.ones(len(rows), bool)
        for bound in self._plan.bounds:
            times, there = time_of(left, bound.left, self._plan.left_key)
            times, there = times[rows], there[rows]
            known &= there
            if bound.low is not None:
                low = np.maximum(low, first_time(bound, times, bound.low))
            if bound.high is not None:
                high = np.minimum(high, first_time(bound, times, bound.high + 1) - 1)
        return low, high, known

    # -- rows that are done -----------------------------------------------------------------

    def _expire(self, time: int) -> None:
        left, right = self._left, self._right
        if left.kept is not None:
            rows = np.arange(left.kept.count)
            _, high, known = self._reach(left.kept, rows)
            over = (high < time) | ~known
            if self._plan.outer:
                self._miss(left.kept, np.flatnonzero(over & ~left.matched))
            left.keep(~over)
        if right.kept is not None:
            if time == END:
                right.keep(np.zeros(right.kept.count, bool))
            else:
                oldest = np.array([time - self._plan.lag])
                bounds = self._plan.bounds
                lows = [first_time(b, oldest, b.low) for b in bounds if b.low is not None]
                right.keep(right.kept.times >= max(int(low[0]) for low in lows))
        self._tidy()

    def _miss(self, left: Batch, rows: Ints) -> None:
        """Let out left rows without a match, at their time plus the upper bound."""
        if len(rows) == 0:
            return
        times = np.full(len(rows), END)
        for bound in self._plan.bounds:
            if bound.high is not None:
                base, known = time_of(left, bound.left, self._plan.left_key)
                at = base[rows] + max(bound.high, 0) * bound.unit
                times = np.where(known[rows], np.minimum(times, at), times)
        times = np.maximum(np.where(times == END, left.times[rows], times), left.times[rows])
        times = np.minimum(times, MAX_TICKS)
        order = np.argsort(times, kind="stable")
        self._results.add(
            joined(self._plan, left, self._right.kept, rows[order], None, times[order])
        )

    def _tidy(self) -> None:
        """Forget the keys that no row has any more, once there are many."""
        if self._keys.count < self._tidy_at:
            return
        sides = (self._left, self._right)
        held = [c for s in sides for c in (s.codes, *(w[1] for w in s.waiting))]
        live = np.unique(np.concatenate(held))
        live = live[live >= 0]
        if len(live) * 2 < self._keys.count:
            moved = np.append(self._keys.keep(live), -1)  # -1, no key, stays what it is
            for side in sides:
                side.codes = moved[side.codes]
                side.waiting = [(b, moved[c]) for b, c in side.waiting]
        self._tidy_at = max(_TIDY, 2 * self._keys.count)

    def held(self) -> Held:
        sides = (self._left, self._right)
        rows = sum(side.count for side in sides) + self._results.count
        return Held(rows, self._keys.count, (sides, self._results, self._keys))

    def snapshot(self) -> State:
        return {
            "keys": self._keys.snapshot(),
            "left": self._left.snapshot(),
            "right": self._right.snapshot(),
            "results": self._results.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self._keys.restore(state["keys"])
        self._left.restore(state["left"])
        self._right.restore(state["right"])
        self._results.restore(state["results"])


def first_time(bound: Bound, times: Ints, units: int) -> Ints:
    """Return the first time that is `units` unit boundaries after each time."""
    whole: Ints = (times - bound.origin) // bound.unit
    return (whole + units) * bound.unit + bound.origin
