"""Columns of rows into columns of a table: which values fit, and as what they are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import instants
from ..column import Column, combine
from ..text import bytes_of, mask_of
from ..types import SCALARS, STORAGE, Array, Type


class Family(Enum):
    """What a column of a table takes, and the type of the array that `fit` makes for it."""

    WHOLE = Type.BIGINT, "whole numbers"
    FLOAT = Type.FLOAT, "numbers"
    DECIMAL = Type.TEXT, "numbers, exact"
    TEXT = Type.TEXT, "text: any value"
    BOOLEAN = Type.BIT, "bit"
    DATETIME = Type.DATETIME, "datetime"
    JSON = Type.ANY, "JSON: any value"
    OTHER = Type.TEXT, "what only the database knows: texts of scalars"

    @property
    def stored(self) -> Type:
        """The type of the array."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a table.

    Attributes:
        name: as the table spells it.
        declared: its type as the table has it, for messages.
        family: what it takes.
        limit: the greatest whole number (the least is -limit - 1), or the longest text.
        required: it takes no NULL.
        default: the database fills it when a row does not give it.
        forbidden: a text that no value of it may contain.
    """

    name: str
    declared: str
    family: Family
    limit: int | None = None
    required: bool = False
    default: bool = False
    forbidden: str | None = None


class Misfit(Exception):
    """A value does not fit: `row` is its index, the message says what was found."""

    def __init__(self, row: int, found: str) -> None:
        super().__init__(found)
        self.row = row


def fit(column: Column, place: Place) -> Array:
    """Return a column's values as the place stores them. Raises Misfit for the first that is unfit.

    Datetimes are ticks. A column of several types is converted part by part.
    """
    family, kind = place.family, place.family.stored
    pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
    worst: Misfit | None = None
    if family is Family.JSON:
        pieces.append((None, Column(kind, column.to_json(marked=False))))
    elif family is Family.FLOAT and column.type is Type.NUMBER:
        pieces.append((None, Column(kind, column.values)))
    else:
        for rows, part in column.parts():
            if part.type is Type.NULL:
                continue
            try:
                pieces.append((rows, Column(kind, _CONVERSIONS[family](part, place))))
            except Misfit as misfit:
                row = misfit.row if rows is None else int(rows[misfit.row])
                if worst is None or row < worst.row:
                    worst = Misfit(row, str(misfit))
    if worst is not None:
        raise worst
    values = combine(len(column), pieces).values.cast(STORAGE[kind])
    if place.required and values.null_count:
        raise Misfit(_first(values.is_null()), "NULL")
    if place.forbidden is not None and pa.types.is_string(values.type):
        _refuse_text(values, place.forbidden)
    return values


def _refuse_text(values: pa.StringArray, forbidden: str) -> None:
    """Raise Misfit for a text with a character that the database cannot store."""
    if forbidden == "\0":
        if (bytes_of(values) == 0).any():
            raise Misfit(_first(pc.match_substring(values, forbidden)), "a NUL character")
    elif forbidden.encode() in bytes_of(values).tobytes():
        # an escaped backslash before u0000 is no escape
        found = pc.match_substring_regex(values, r"(^|[^\\])(\\\\)*\\u0000")
        if pc.any(found).as_py():
            raise Misfit(_first(found), "a NUL character")


def _whole(part: Column, place: Place) -> Array:
    limit = place.limit if place.limit is not None else 2**63 - 1
    values = part.values
    if part.type is Type.FLOAT:
        raw = np.asarray(values.fill_null(0.0))
        # 2^63 itself is a float, and no bigint; below, all floats without fraction are exact
        bad = (np.trunc(raw) != raw) | (raw >= 2.0**63) | (raw < -(2.0**63))
        if bad.any():
            raise _misfit(part, int(np.flatnonzero(bad)[0]))
    elif part.type not in (Type.BIGINT, Type.BIT):
        raise _misfit(part)
    values = values.cast(pa.int64())
    if limit < 2**63 - 1:
        raw = np.asarray(values.fill_null(0))
        bad = (raw > limit) | (raw < -limit - 1)
        if bad.any():
            raise _misfit(part, int(np.flatnonzero(bad)[0]))
    return values


def _float(part: Column, _place: Place) -> Array:
    if part.type not in (Type.BIGINT, Type.FLOAT):
        raise _misfit(part)
    return part.values.cast(pa.float64(), safe=False)


def _decimal(part: Column, _place: Place) -> Array:
    if part.type not in (Type.BIGINT, Type.FLOAT):
        raise _misfit(part)
    return part.to_json()


def _text(part: Column, place: Place) -> Array:
    texts = _plain(part)
    if place.limit is not None:
        long = pc.greater(pc.utf8_length(texts), place.limit)
        if pc.any(long).as_py():
            row = _first(long)
            raise Misfit(row, f"a text of {len(texts[row].as_py()):,} characters")
    return texts


def _plain(part: Column) -> pa.StringArray:
    """Return the text of each value, texts without quotes."""
    match part.type:
        case Type.TEXT:
            return part.values
        case Type.DATETIME:
            return instants.format_ticks(part.values)
        case _:
            return part.to_json(marked=False)


def _boolean(part: Column, _place: Place) -> Array:
    if part.type is not Type.BIT:
        raise _misfit(part)
    return part.values


def _datetime(part: Column, _place: Place) -> Array:
    if part.type is Type.TEXT:
        ticks = instants.parse(part.values)
        if ticks.null_count > part.values.null_count:
            bad = pc.and_(ticks.is_null(), part.values.is_valid())
            raise _misfit(part, _first(bad))
        return ticks
    if part.type is not Type.DATETIME:
        raise _misfit(part)
    return part.values


def _other(part: Column, _place: Place) -> Array:
    if part.type not in SCALARS:
        raise _misfit(part)
    return _plain(part)


_CONVERSIONS: dict[Family, Callable[[Column, Place], Array]] = {
    Family.WHOLE: _whole,
    Family.FLOAT: _float,
    Family.DECIMAL: _decimal,
    Family.TEXT: _text,
    Family.BOOLEAN: _boolean,
    Family.DATETIME: _datetime,
    Family.OTHER: _other,
}


def _misfit(part: Column, row: int | None = None) -> Misfit:
    """Return the error for a value, by default the first that is not NULL."""
    if row is None:
        row = int(np.flatnonzero(part.valid())[0]) if part.valid().any() else 0
    shown = part.slice(row, 1).to_json(marked=False)[0].as_py()
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return Misfit(row, f"{shown} ({part.type})")


def _first(mask: Array) -> int:
    return int(np.flatnonzero(mask_of(mask))[0])
