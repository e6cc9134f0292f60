"""When rows, values and outputs count as equal, and in what they differ.

The rules are those of `docs/testing.md`, section Comparing, and are numbered as there. Nothing here
uses the engine: a defect of the engine must not be able to hide in its own check.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Row = dict[str, Any]

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_PAIRED = 200
"""Rows left over on a side that are looked at to tell which of them differ in a column or two."""


@dataclass(frozen=True)
class Misfit:
    """An expected row and the row found in its place, with the columns in which they differ."""

    expected: Row
    found: Row
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """In what the rows of an output are not the expected ones.

    Attributes:
        misfits: rows that are like an expected one but for some columns.
        missing: expected rows that nothing was found for.
        unexpected: rows found that nothing was expected for.
        misplaced: the first place, from 1, of a row out of order; None unless nothing else differs.
        counts: how many rows were expected and found.
    """

    misfits: tuple[Misfit, ...]
    missing: tuple[Row, ...]
    unexpected: tuple[Row, ...]
    misplaced: int | None
    counts: tuple[int, int]


@dataclass(frozen=True)
class Comparer:
    """Compares the rows of one case. The fields are the keys of `compare` in its case.json."""

    exact_strings: Sequence[str] = ()
    unordered_arrays: Sequence[str] = ()
    ignore_columns: Sequence[str] = ()
    float_rel_tol: float = 1e-9
    float_abs_tol: float = 1e-12
    ordered: bool = field(default=False, kw_only=True)

    def difference(self, got: Sequence[Row], expected: Sequence[Row]) -> Difference | None:
        """Return None if the rows are the expected ones, else in what they differ."""
        found, wanted = self._left_over(got, expected)
        counts = (len(expected), len(got))
        if found or wanted:
            misfits, missing, unexpected = self._paired(found, wanted)
            return Difference(misfits, missing, unexpected, None, counts)
        if self.ordered:
            for place, (left, right) in enumerate(zip(got, expected, strict=True), 1):
                if not self.rows_equal(left, right):
                    return Difference((), (), (), place, counts)
        return None

    def rows_equal(self, left: Row, right: Row) -> bool:
        """Return whether two rows are equal under the options of the case."""
        return not self.differing(left, right)

    def differing(self, left: Row, right: Row) -> tuple[str, ...]:
        """Return the columns in which two rows differ, in the order of the rows."""
        names = dict.fromkeys(k for row in (left, right) for k, v in row.items() if v is not None)
        return tuple(
            name
            for name in names
            if name not in self.ignore_columns
            and not self._column_equal(name, left.get(name), right.get(name))
        )

    def _column_equal(self, name: str, left: object, right: object) -> bool:
        exact = name in self.exact_strings
        if name in self.unordered_arrays and isinstance(left, list) and isinstance(right, list):
            found, wanted = _unmatched(left, right, lambda a, b: self.equal(a, b, exact=exact))
            return not found and not wanted
        return self.equal(left, right, exact=exact)

    def equal(self, left: object, right: object, *, exact: bool = False) -> bool:
        """Return whether two values are equal; `exact` switches rule 4 off."""
        if left is None or right is None:  # rule 1
            return left is right
        if isinstance(left, bool) or isinstance(right, bool):  # rule 2
            return left is right
        if isinstance(left, int | float) and isinstance(right, int | float):  # rule 3
            return self._numbers_equal(left, right)
        if isinstance(left, str) and isinstance(right, str):  # rules 4 and 5
            if left == right:
                return True
            moment = None if exact else instant(left)
            return moment is not None and moment == instant(right)
        if isinstance(left, list) and isinstance(right, list):  # rule 6
            return len(left) == len(right) and all(
                self.equal(a, b, exact=exact) for a, b in zip(left, right, strict=True)
            )
        if isinstance(left, dict) and isinstance(right, dict):
            names = {k for record in (left, right) for k, v in record.items() if v is not None}
            return all(self.equal(left.get(n), right.get(n), exact=exact) for n in names)
        return False

    def _numbers_equal(self, left: float, right: float) -> bool:
        if isinstance(left, int) and isinstance(right, int):
            return left == right
        try:
            a, b = float(left), float(right)
        except OverflowError:  # an integer beyond the doubles equals no double
            return False
        return math.isclose(a, b, rel_tol=self.float_rel_tol, abs_tol=self.float_abs_tol)

    def _left_over(
        self, got: Sequence[Row], expected: Sequence[Row]
    ) -> tuple[list[Row], list[Row]]:
        """Return the rows found, and those expected, that have no partner on the other side."""
        # rows with one text are equal: they need no search, however many there are
        by_text: dict[str, list[int]] = {}
        for place, row in enumerate(got):
            by_text.setdefault(json.dumps(row, sort_keys=True), []).append(place)
        rest = []
        for row in expected:
            places = by_text.get(json.dumps(row, sort_keys=True))
            if places:
                places.pop()
            else:
                rest.append(row)
        left = sorted(place for places in by_text.values() for place in places)
        return _unmatched([got[place] for place in left], rest, self.rows_equal)

    def _paired(
        self, found: list[Row], wanted: list[Row]
    ) -> tuple[tuple[Misfit, ...], tuple[Row, ...], tuple[Row, ...]]:
        """Put together rows that are more like each other than not; the likest first."""
        candidates = []
        for i, right in enumerate(wanted[:_MOST_PAIRED]):
            for j, left in enumerate(found[:_MOST_PAIRED]):
                columns = self.differing(right, left)
                if 2 * len(columns) <= len(right.keys() | left.keys()):
                    candidates.append((len(columns), i, j, columns))
        pairs: dict[int, tuple[int, tuple[str, ...]]] = {}
        taken: set[int] = set()
        for _, i, j, columns in sorted(candidates):
            if i not in pairs and j not in taken:
                pairs[i] = (j, columns)
                taken.add(j)
        misfits = tuple(Misfit(wanted[i], found[j], c) for i, (j, c) in sorted(pairs.items()))
        missing = tuple(row for i, row in enumerate(wanted) if i not in pairs)
        unexpected = tuple(row for j, row in enumerate(found) if j not in taken)
        return misfits, missing, unexpected


def _unmatched(
    found: Sequence[Any], wanted: Sequence[Any], same: Callable[[Any, Any], bool]
) -> tuple[list[Any], list[Any]]:
    """Match greedily; return what is left over on either side."""
    left_over, missing = list(found), []
    for one in wanted:
        place = next((i for i, other in enumerate(left_over) if same(other, one)), None)
        if place is None:
            missing.append(one)
        else:
            del left_over[place]
    return left_over, missing


def instant(text: str) -> int | None:
    """Return an ISO 8601 date-time as ticks of 100 ns since 1970, None if the text is none."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    minute, second, fraction, offset = found.groups()
    zone: timezone = UTC
    if offset not in (None, "Z"):
        gap = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        zone = timezone(-gap if offset[0] == "-" else gap)
    try:
        moment = datetime.fromisoformat(f"{minute}:{second or '00'}").replace(tzinfo=zone)
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return seconds * 10_000_000 + int((fraction or "").ljust(7, "0"))
