"""The comparer of the conformance corpus: when rows, values and outputs count as equal.

The rules are those of `tests/conformance/README.md`, section Comparer, and are numbered as there.
Nothing here uses the engine: a defect of the engine must not be able to hide in its own check.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,7}))?)?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Comparer:
    """Compares the rows of one case. The fields are the keys of `compare` in its case.json."""

    exact_strings: Sequence[str] = ()
    unordered_arrays: Sequence[str] = ()
    ignore_columns: Sequence[str] = ()
    float_rel_tol: float = 1e-9
    float_abs_tol: float = 1e-12
    ordered: bool = field(default=False, kw_only=True)

    def difference(self, got: list[dict], expected: list[dict]) -> str | None:
        """Return None if the rows are the expected ones, else a sentence with the first misfit."""
        if self.ordered:
            for place, (left, right) in enumerate(zip(got, expected, strict=False), 1):
                if not self.rows_equal(left, right):
                    return f"row {place} is {left}, expected {right}"
            if len(got) != len(expected):
                return f"{len(got)} rows, expected {len(expected)}"
            return None
        return self._multiset_difference(got, expected, self.rows_equal)

    def rows_equal(self, left: dict, right: dict) -> bool:
        """Return whether two rows are equal under the options of the case."""
        names = {k for row in (left, right) for k, v in row.items() if v is not None}
        return all(
            self._column_equal(name, left.get(name), right.get(name))
            for name in names.difference(self.ignore_columns)
        )

    def _column_equal(self, name: str, left: object, right: object) -> bool:
        exact = name in self.exact_strings
        if name in self.unordered_arrays and isinstance(left, list) and isinstance(right, list):

            def same(a: object, b: object) -> bool:
                return self.equal(a, b, exact=exact)

            return self._multiset_difference(left, right, same) is None
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

    def _multiset_difference(self, got, expected, same) -> str | None:
        """Match greedily; return a sentence about what is left over on either side."""
        left_over = list(got)
        for wanted in expected:
            place = next((i for i, one in enumerate(left_over) if same(one, wanted)), None)
            if place is None:
                return f"{wanted} is missing; left over: {left_over[:3]}"
            del left_over[place]
        return f"{left_over[0]} is not expected" if left_over else None


def instant(text: str) -> int | None:
    """Return an ISO 8601 date-time as ticks of 100 ns since 1970, None if the text is none."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    minute, second, fraction, offset = found.groups()
    zone = UTC
    if offset not in (None, "Z"):
        gap = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        zone = timezone(-gap if offset[0] == "-" else gap)
    try:
        moment = datetime.fromisoformat(f"{minute}:{second or '00'}").replace(tzinfo=zone)
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return seconds * 10_000_000 + int((fraction or "").ljust(7, "0"))
