"""Joins of streams as the language defines them: every pair is looked at.

A row of a join is (time, relations): `relations` maps each name to its (time, row), or to None
where a LEFT JOIN found nothing. Times are ticks of 100 ns since 1970.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

SECOND = 10_000_000
DAY = 86_400 * SECOND
UNITS = {
    "microsecond": 10,
    "millisecond": 10_000,
    "second": SECOND,
    "minute": 60 * SECOND,
    "hour": 3_600 * SECOND,
    "day": DAY,
    "week": 7 * DAY,
}
COMPARE = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Stream = list[tuple[int, dict[str, Any]]]
Relations = dict[str, tuple[int, dict[str, Any]] | None]
Joined = list[tuple[int, Relations]]


def datediff(unit: str, start: int, end: int) -> int:
    """Return the unit boundaries between two times; weeks begin on Sundays."""
    # 1970 began on a Thursday, four days after a Sunday
    shift = 4 * DAY if unit == "week" else 0
    size = UNITS[unit]
    return (end + shift) // size - (start + shift) // size


@dataclass(frozen=True)
class Bound:
    """DATEDIFF(unit, first, second) sign number."""

    unit: str
    first: str
    second: str
    sign: str
    number: int

    def holds(self, relations: Relations) -> bool:
        """Tell whether a pair satisfies it; a relation that is NULL does not."""
        first, second = relations[self.first], relations[self.second]
        if first is None or second is None:
            return False
        return COMPARE[self.sign](datediff(self.unit, first[0], second[0]), self.number)

    def latest(self, relations: Relations, right: str) -> int | None:
        """Return until when a row of `right` can match, by the literal amount; None: for ever."""
        if self.second == right:
            other, amount, sign = relations[self.first], self.number, self.sign
        else:
            # DATEDIFF(unit, right, left) >= n says that right is at least n before left
            other, amount = relations[self.second], -self.number
            sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(self.sign, "=")
        if sign in (">", ">=") or other is None:
            return None
        if sign == "<":
            amount -= 1
        return other[0] + amount * UNITS[self.unit]


def equal(left: Any, right: Any) -> bool:
    """Tell whether two values are equal in ON: NULL equals nothing."""
    return left is not None and right is not None and left == right


def stream(name: str, events: Stream) -> Joined:
    """Return a stream as rows of a join that has not begun."""
    return [(time, {name: (time, row)}) for time, row in events]


def join(
    left: Joined, name: str, right: Stream, bounds: list[Bound], condition: Any, outer: bool
) -> Joined:
    """Return the rows of `left JOIN right AS name ON bounds AND condition`.

    `condition` takes the relations of a pair.
    """
    result: Joined = []
    for time, relations in left:
        matched = False
        for event in right:
            pair: Relations = {**relations, name: event}
            if all(bound.holds(pair) for bound in bounds) and condition(pair):
                matched = True
                result.append((max(time, event[0]), pair))
        if outer and not matched:
            ends = [bound.latest(relations, name) for bound in bounds]
            known = [end for end in ends if end is not None]
            # a bound below zero: the result time is the left timestamp
            result.append((max(time, min(known, default=time)), {**relations, name: None}))
    return result
