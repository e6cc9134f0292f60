"""Rows of an input with a CREATE TABLE: the declared columns, each of its type.

A value that is not of its column's type makes its event a data error. Formats are not converted:
the text "12" is no bigint in JSON. Only what a format cannot say otherwise is read: ISO 8601 texts
as datetime, integers as float, and from a format that knows texts only (CSV) everything. NULL fits
each type. A column that an event does not have is NULL; one that a CSV file does not have at all
makes every event of it an error (MissingColumns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import instants
from ..column import Column, combine
from ..functions.conversion import cast_to
from ..rows import ColumnRows, Rows
from ..text import mask_of, valid
from ..types import STORAGE, Array, Type
from .levels import OldLevel

Mask = NDArray[np.bool_]

_SHOWN = 40
"""Characters of a value that a reason shows."""


@dataclass(frozen=True)
class Conformed:
    """Rows as declared.

    Attributes:
        rows: all rows; values that do not fit are NULL.
        keep: the rows in which all values fit.
        reason: what is wrong with the first row that is not kept, None if all are.
    """

    rows: ColumnRows
    keep: Mask
    reason: str | None = None


def conform(rows: Rows, columns: Sequence[tuple[str, Type]], level: str) -> Conformed:
    """Return rows with the declared columns, and which of them fit.

    Below level 1.2 a bit is a bigint of 0 or 1. At 1.0 a text that says NaN or infinity, which JSON
    and CSV cannot say otherwise, is a float; it reads as NULL, and drops nothing.
    """
    declared: dict[str, Column] = {}
    keep = np.ones(len(rows), bool)
    faults: list[tuple[int, str]] = []
    for name, want in columns:
        # level 1.0 reads date-like texts as datetimes, but a column declared as text stays text
        source = rows.plain if want is Type.TEXT and isinstance(rows, OldLevel) else rows
        found = source.field((name,))
        if rows.textual and found.type is Type.NULL:
            fits: Mask = np.zeros(len(rows), bool)
            declared[name] = found
        else:
            declared[name], fits = _converted(found, want, level, rows.textual)
        if not fits.all():
            keep &= fits
            row = int(np.argmin(fits))
            faults.append((row, _reason(name, want, found.slice(row, 1), rows.textual)))
    reason = min(faults, key=lambda f: f[0])[1] if faults else None
    return Conformed(ColumnRows(declared, len(rows)), keep, reason)


def stored_type(want: Type, level: str) -> Type:
    """Return the type that values of a declared column have at a compatibility level."""
    return Type.BIGINT if want is Type.BIT and level != "1.2" else want


def _converted(column: Column, want: Type, level: str, textual: bool) -> tuple[Column, Mask]:
    """Return a column as declared, and the rows whose value fits."""
    kind = stored_type(want, level)
    if column.type is want:
        return column, np.ones(len(column), bool)
    fits = ~column.valid()
    pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
    for rows, part in column.parts():
        where = slice(None) if rows is None else rows
        fits[where] |= _is_none(part, want, level, textual)
        values = _values(part, want, level, textual)
        if values is None:
            continue
        fits[where] |= valid(values)
        pieces.append((rows, Column(kind, values.cast(STORAGE[kind]))))
    found = combine(len(column), pieces)
    if found.type is Type.NULL:
        found = Column(kind, pa.nulls(len(column), STORAGE[kind]))
    return found, fits


def _values(part: Column, want: Type, level: str, textual: bool) -> Array | None:
    """Return the values of one type as another; NULL for those that do not fit, None if none do."""
    values = part.values
    if part.type is want:
        return values
    match part.type, want:
        case Type.BIGINT, Type.FLOAT:  # a loss of precision is no error (values.md)
            return values.cast(pa.float64(), safe=False)
        case Type.BIGINT, Type.BIT if level != "1.2":  # where JSON true is 1 already
            fitting = pc.is_in(values, value_set=pa.array([0, 1]))
            return pc.if_else(fitting, values, pa.scalar(None, pa.int64()))
        case Type.TEXT, Type.DATETIME:
            return instants.parse(values)
        case Type.TEXT, Type.BIT if textual:
            lowered = pc.utf8_lower(pc.utf8_trim_whitespace(values))
            fitting = pc.is_in(lowered, value_set=pa.array(["true", "false"]))
            yes = pc.equal(lowered, "true")
            return pc.if_else(fitting, yes, pa.scalar(None, pa.bool_()))
        case Type.TEXT, (Type.BIGINT | Type.FLOAT) if textual:
            found = cast_to(part, want, lenient=True)
            return found.values.cast(STORAGE[want])
        case _:
            return None


def _is_none(part: Column, want: Type, level: str, textual: bool) -> Mask:
    """Return the rows whose text stands for NULL in a column of this type."""
    none = np.zeros(len(part), bool)
    if part.type is not Type.TEXT:
        return none
    if want is Type.BIT and textual:  # CSV writes a bit as true, false or null (values.md)
        return mask_of(pc.match_substring_regex(part.values, r"(?i)^\s*null\s*$"))
    if want is Type.FLOAT and level == "1.0":
        return mask_of(pc.match_substring_regex(part.values, r"(?i)^\s*([+-]?infinity|nan)\s*$"))
    return none


def _reason(name: str, want: Type, value: Column, textual: bool) -> str:
    """Return what is wrong with one value, in words that fit after "event 7: "."""
    if value.type is Type.NULL:
        return f"column {name} is missing"
    kind = "" if textual else f" of type {value.types()[0].as_py()}"
    shown = value.to_json(marked=False)[0].as_py()
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "..."
    return f"column {name} is {want}, found {shown}{kind}"
