"""The values an aggregate reads: those that are not NULL, sorted into pieces by their type.

Numeric text is read as a float unless the aggregate takes text (language.md, Conversion).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column
from ...errors import BindError, DataError
from ...grouping.ranges import Ranges
from ...types import Type
from ..aggregate import Signature
from ..implicit import convert

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

NUMBERS = (Type.BIGINT, Type.FLOAT)
_OPEN = (Type.ANY, Type.NULL, Type.NUMBER)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Values of one type, none of them NULL.

    Attributes:
        type: bigint, float, datetime, bit or text.
        rows: the row of each value, rising; None if every row has one.
        values: int64 (a bit is 0 or 1), float64, or an Arrow string array.
    """

    type: Type
    rows: Rows | None
    values: Any

    def __len__(self) -> int:
        return len(self.values)

    def of(self, slots: Ints) -> Ints:
        """Return the entries of `slots`, which has one per row, that belong to the values."""
        return slots if self.rows is None else slots[self.rows]


def pieces(
    column: Column,
    name: str,
    takes: Collection[Type],
    ranges: Ranges | None = None,
    *,
    from_text: bool = True,
) -> list[Piece]:
    """Return the values of a column by type.

    Text that is not taken as such becomes float if that is taken, and `from_text` is set. Raises
    DataError with the row of a value of any other type. With `ranges`, rows that are in no range
    cannot be to blame.
    """
    found: dict[Type, list[tuple[Rows | None, pa.Array]]] = {}
    for rows, part in column.parts():
        if part.type is Type.NULL:
            continue
        if part.values.null_count:
            known = np.flatnonzero(part.valid())
            part = part.take(known)
            rows = known if rows is None else rows[known]
        if part.type not in takes:
            rows, part = _inside(rows, part, len(column), ranges)
            if len(part):
                part = _number(rows, part, name, takes, from_text)
        if len(part):
            found.setdefault(part.type, []).append((rows, part.values))
    return [_piece(kind, some) for kind, some in found.items()]


def floats(column: Column, name: str, ranges: Ranges | None = None) -> Piece:
    """Return all numbers of a column as floats, in the order of their rows."""
    if column.type is Type.NUMBER:
        column = Column(Type.FLOAT, column.values)
    found = pieces(column, name, NUMBERS, ranges)
    if not found:
        return Piece(Type.FLOAT, np.zeros(0, np.int64), np.zeros(0))
    if len(found) == 1:
        return Piece(Type.FLOAT, found[0].rows, found[0].values.astype(np.float64, copy=False))
    return _piece(Type.FLOAT, [(p.rows, pa.array(p.values.astype(np.float64))) for p in found])


def _inside(
    rows: Rows | None, part: Column, count: int, ranges: Ranges | None
) -> tuple[Rows, Column]:
    """Return the rows of a part that lie in some range."""
    rows = np.arange(len(part)) if rows is None else rows
    if ranges is None:
        return rows, part
    depth = np.zeros(count + 1, np.int64)
    some = ranges.lengths > 0
    np.add.at(depth, ranges.starts[some], 1)
    np.add.at(depth, ranges.ends[some], -1)
    kept = np.flatnonzero(np.cumsum(depth)[rows] > 0)
    return rows[kept], part.take(kept)


def _number(
    rows: Rows, part: Column, name: str, takes: Collection[Type], from_text: bool
) -> Column:
    """Return text as floats. Raises DataError for other types."""
    if part.type is not Type.TEXT or Type.FLOAT not in takes or not from_text:
        hint = "CAST it first" if part.type in (Type.TEXT, Type.BIT) else None
        raise DataError(
            f"{name} takes {listed(takes)}, found {part.type}", hint=hint, row=int(rows[0])
        )
    try:
        return convert(part, Type.FLOAT, name)
    except DataError as error:
        error.row = int(rows[error.row or 0])
        error.hint = "TRY_CAST(... AS float) makes it NULL, which is left out"
        if Type.DATETIME in takes:
            error.hint += "; CAST(... AS nvarchar(max)) compares texts"
        raise


def _piece(kind: Type, some: list[tuple[Rows | None, pa.Array]]) -> Piece:
    rows, values = some[0]
    if len(some) > 1:
        joined = np.concatenate([r for r, _ in some if r is not None])
        order = np.argsort(joined)
        rows = joined[order]
        values = pa.concat_arrays([v for _, v in some]).take(pa.array(order))
    if kind is Type.TEXT:
        return Piece(kind, rows, values)
    if kind is Type.BIT:
        values = values.cast(pa.int64())
    return Piece(kind, rows, np.asarray(values))


def within(rows: Rows | None, count: int, ranges: Ranges) -> Ranges:
    """Return which of the chosen `rows` (of `count`) each range has, as ranges over the chosen."""
    starts, ends = ranges.starts, np.maximum(ranges.ends, ranges.starts)
    if rows is None:
        return Ranges(starts, ends)
    before = np.zeros(count + 1, np.int64)
    before[rows + 1] = 1
    before = np.cumsum(before)
    return Ranges(before[starts], before[ends])


def last_rows(ranges: Ranges) -> Rows:
    """Return the last row of each range: the row to blame for a result that does not fit."""
    return ranges.ends - 1


def refuse_infinite(
    result: Floats, expected: NDArray[np.bool_], name: str, blame: Rows | None
) -> None:
    """Raise DataError for a result that is not finite, except where that is to be expected."""
    bad = np.flatnonzero(~np.isfinite(result) & ~expected)
    if len(bad):
        row = None if blame is None else int(blame[bad[0]])
        raise DataError(f"the result of {name} is no finite float", row=row)


def static_type(signature: Signature, name: str, takes: Collection[Type]) -> Type:
    """Return the static type of the only argument. Raises BindError if it can never fit."""
    kind = signature.types[0]
    if kind in takes or kind in _OPEN or (kind is Type.TEXT and Type.FLOAT in takes):
        return kind
    hint = "CAST it to bigint first" if kind is Type.BIT else None
    raise BindError(f"{name} takes {listed(takes)}, found {kind}", signature.spans[-1], hint)


def listed(takes: Collection[Type]) -> str:
    """Return types as a message lists them."""
    names = [str(t) for t in takes]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
