"""Which columns of an input hold times, as its first events tell."""

from __future__ import annotations

import re

from ..rows import Rows
from ..types import Type

_MOST = 100
"""Events that are looked at."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


def time_columns(rows: Rows) -> tuple[str, ...]:
    """Return the names of the columns all of whose values are times, in order; NULL fits."""
    values = rows.record().slice(0, min(_MOST, len(rows))).to_pylist()
    names = dict.fromkeys(name for value in values for name in value)
    return tuple(n for n in names if _holds_times(rows, n))


def _holds_times(rows: Rows, name: str) -> bool:
    column = rows.field((name,)).slice(0, min(_MOST, len(rows)))
    if column.type is Type.DATETIME:
        return True
    if column.type is not Type.TEXT:
        return False
    found = [v for v in column.values.to_pylist() if v is not None]
    return bool(found) and all(_TIME.match(v) for v in found)
