"""All attempts to match under conditions that look at events bound before."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from ...batch import Batch
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Field, walk
from ...plan.nodes import Recognize
from ...plan.pattern import BOUND, KEPT
from ...rows import ColumnRows
from .attempts import Attempt, Question, Rules, Run, attempt, go_on
from .buffer import Buffer
from .slots import Ints, Slots
from .values import sort_keys, take_picked
from .walk import Found


class Searches:
    """The attempts that wait. They are derived from the buffer: a restart begins them again."""

    def __init__(self, plan: Recognize) -> None:
        self._plan = plan
        conditions = {i: v.condition for i, v in enumerate(plan.variables)}
        self._conditions = {i: c for i, c in conditions.items() if c is not None}
        names = {
            i: [(e.relation, int(e.path[0][1:])) for e in walk(c) if isinstance(e, Field)]
            for i, c in self._conditions.items()
        }
        self._kept = {i: {n for r, n in ns if r == KEPT} for i, ns in names.items()}
        self._asked = {i: {n for r, n in ns if r == BOUND} for i, ns in names.items()}
        self._picks = sorted({n for ns in self._asked.values() for n in ns})
        self._rules = Rules(
            plan.pattern,
            frozenset(self._conditions),
            [plan.picks[p] for p in self._picks],
            plan.limit,
        )
        self._runs: dict[int, Run] = {}
        self._attempts: dict[int, Attempt] = {}
        self._fed = 0

    @property
    def needed(self) -> bool:
        """Whether there are such conditions at all."""
        return bool(self._conditions)

    def search(self, rows: Buffer, slots: Slots, starts: Ints) -> Found:
        """Return the matches that begin at some of the rows fed, as `walk` does."""
        going: dict[int, Attempt] = {}
        for number, code in zip(
            rows.numbers[starts].tolist(), rows.codes[starts].tolist(), strict=True
        ):
            if number not in self._attempts:
                run = self._runs[code]
                start = run.first + bisect_left(run.numbers, number)
                self._attempts[number] = attempt(self._rules, run, start)
            going[number] = self._attempts[number]
        ended = go_on(going, lambda variable, asked: self._answers(rows, variable, asked))
        for number in ended:
            del self._attempts[number]
        return self._found(rows, slots, starts, ended)

    def forget(self, searched: Ints, rows: Buffer, given_up: Ints) -> None:
        """Forget rows that nothing waits for: of the partitions `searched` only `rows` are left.

        `given_up` are the numbers of rows whose attempts are over though they have not ended.
        """
        for number in given_up.tolist():
            self._attempts.pop(number, None)
        codes, first = np.unique(rows.codes, return_index=True)
        oldest = dict(zip(codes.tolist(), rows.numbers[first].tolist(), strict=True))
        for code in np.unique(searched).tolist():
            if code in oldest:
                self._runs[code].forget(oldest[code])
            else:
                del self._runs[code]

    def recode(self, moved: Ints) -> None:
        """Take over new codes of the partitions."""
        self._runs = {int(moved[code]): run for code, run in self._runs.items()}

    def feed(self, rows: Buffer, now: int) -> None:
        """Take in the rows that are new; `now` is the time before which no row will come."""
        new = np.flatnonzero(rows.numbers >= self._fed)
        tests = zip(*(t[new].tolist() for t in rows.tests), strict=True)
        keys: list[Sequence[object]] = [
            sort_keys(rows.kept[p.field].take(new))
            if p.kind in ("min", "max")
            else [None] * len(new)
            for p in self._rules.picks
        ]
        compared = zip(*keys, strict=True) if keys else iter([()] * len(new))
        for code, number, time, fits, key in zip(
            rows.codes[new].tolist(),
            rows.numbers[new].tolist(),
            rows.times[new].tolist(),
            tests,
            compared,
            strict=True,
        ):
            run = self._runs.setdefault(code, Run())
            run.numbers.append(number)
            run.times.append(time)
            run.fits.append(fits)
            run.keys.append(key)
        if len(new):
            self._fed = int(rows.numbers[-1]) + 1
        for code in np.unique(rows.codes).tolist():
            self._runs[code].closed_at = now

    def _answers(self, rows: Buffer, variable: int, asked: list[Question]) -> list[bool]:
        at = np.searchsorted(rows.numbers, [number for _, number, _ in asked])
        picked = np.array([p for _, _, p in asked], np.int64).reshape(len(asked), -1)
        found = np.where(picked < 0, -1, np.searchsorted(rows.numbers, picked))
        kept = {f"f{i}": rows.kept[i].take(at) for i in self._kept[variable]}
        bound = {
            f"p{p}": take_picked(rows.kept[self._plan.picks[p].field], found[:, i])
            for i, p in enumerate(self._picks)
            if p in self._asked[variable]
        }
        batch = Batch(
            {KEPT: ColumnRows(kept, len(at)), BOUND: ColumnRows(bound, len(at))},
            rows.times[at],
            rows.events[at],
        )
        result: list[bool] = Evaluation(batch).truth(self._conditions[variable]).tolist()
        return result

    def _found(
        self, rows: Buffer, slots: Slots, starts: Ints, ended: dict[int, list[int] | None]
    ) -> Found:
        numbers = rows.numbers[starts].tolist()
        matched = [(s, ended.get(n)) for s, n in zip(starts.tolist(), numbers, strict=True)]
        ways = [(s, way) for s, way in matched if way is not None]
        first = slots.of_row[[s for s, _ in ways]] if ways else np.zeros(0, np.int64)
        lengths = np.array([len(way) for _, way in ways], np.int64)
        match = np.repeat(np.arange(len(ways)), lengths)
        begin = np.arange(len(match)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        begin += first[match]
        places = np.array([place for _, way in ways for place in way], np.int64)
        waits = np.array([n not in ended for n in numbers], bool)
        rows_of = np.array([s for s, _ in ways], np.int64)
        return Found(rows_of, first + lengths, match, begin, begin + 1, places, starts[waits])
