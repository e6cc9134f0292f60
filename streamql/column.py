"""A column: one value per row, each value with its own type.

The common case is a column of one type, stored as the Arrow array of `types.STORAGE`. A column
whose values differ in type is `any` (JSON text per value) or `number` (bigint and float mixed);
`parts()` splits such a column into pieces of one type, and `combine()` puts pieces together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from . import instants
from .python_values import dump, python_type, revive
from .text import (
    bytes_of,
    concatenated,
    first_bytes,
    float_texts,
    loads,
    mask_of,
    quote,
    unmark,
    unquote,
    valid,
)
from .types import DATETIME_MARK, JSON_TYPES, STORAGE, Array, Type

_CLASSES = np.zeros(256, np.uint8)  # 0 NULL, then the index into _CLASS_TYPES + 1
_CLASS_TYPES = (Type.NUMBER, Type.TEXT, Type.BIT, Type.RECORD, Type.ARRAY)
for _byte in b"0123456789-":
    _CLASSES[_byte] = 1
_CLASSES[ord('"')] = 2
_CLASSES[ord("t")] = _CLASSES[ord("f")] = 3
_CLASSES[ord("{")] = 4
_CLASSES[ord("[")] = 5
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values of one column.

    Attributes:
        type: the type of every value that is not NULL (`any` and `number`: see `types`).
        values: the storage of `types.STORAGE[type]`; Arrow nulls are SQL NULLs.
        integers: only for `number`: True where the value is a bigint (never NULL itself).
        constant: all rows hold the same value; kernels may look at the first only.
    """

    type: Type
    values: Array
    integers: Array | None = None
    constant: bool = False

    def __len__(self) -> int:
        return len(self.values)

    # -- choosing rows ----------------------------------------------------------------------

    def take(self, rows: Rows) -> Column:
        """Return the rows at these indices, in their order."""
        index = pa.array(rows)
        integers = None if self.integers is None else self.integers.take(index)
        return Column(self.type, self.values.take(index), integers, self.constant)

    def filter(self, keep: NDArray[np.bool_]) -> Column:
        """Return the rows for which the mask is True."""
        mask = pa.array(keep)
        integers = None if self.integers is None else self.integers.filter(mask)
        return Column(self.type, self.values.filter(mask), integers, self.constant)

    def slice(self, start: int, length: int) -> Column:
        """Return `length` rows from `start` on, without a copy."""
        integers = None if self.integers is None else self.integers.slice(start, length)
        return Column(self.type, self.values.slice(start, length), integers, self.constant)

    def valid(self) -> NDArray[np.bool_]:
        """Return a mask of the rows that are not NULL."""
        return valid(self.values)

    def first(self) -> Column:
        """Return the first row alone (of a constant column: its value)."""
        return self.slice(0, 1)

    # -- types ------------------------------------------------------------------------------

    def parts(self) -> list[tuple[Rows | None, Column]]:
        """Split into pieces of one type: (row indices, column) pairs; NULL rows form a piece.

        A column of one type comes back whole as [(None, self)].
        """
        if self.type is Type.NUMBER:
            return _number_parts(self)
        if self.type is not Type.ANY:
            return [(None, self)]
        classes = _CLASSES[first_bytes(self.values)]
        classes[~self.valid()] = 0
        present = np.flatnonzero(np.bincount(classes, minlength=6))
        pieces: list[tuple[Rows | None, Column]] = []
        for code in present:
            rows = None if len(present) == 1 else np.flatnonzero(classes == code)
            texts = self.values if rows is None else self.values.take(pa.array(rows))
            if code == 0:
                pieces.append((rows, nulls(len(texts))))
                continue
            for inner, part in _typed(_CLASS_TYPES[code - 1], texts):
                if inner is None:
                    pieces.append((rows, part))
                else:
                    pieces.append((inner if rows is None else rows[inner], part))
        return pieces

    def normal(self) -> Column:
        """Return the same values with the narrowest type: an `any` column of one type loses it."""
        if self.type not in (Type.ANY, Type.NUMBER) or len(self) == 0:
            return self
        pieces = self.parts()
        kinds = {part.type for _, part in pieces if part.type is not Type.NULL}
        if len(pieces) == 1:
            return pieces[0][1]
        if len(kinds) == 1 or kinds == {Type.BIGINT, Type.FLOAT}:
            return combine(len(self), pieces)
        return self

    def types(self) -> Array:
        """Return the type of each value as GetType names it; NULL for NULL."""
        if self.type not in (Type.ANY, Type.NUMBER):
            named = pa.scalar(None if self.type is Type.NULL else self.type.value, pa.string())
            names: Array = pa.repeat(named, len(self))
            if self.values.null_count == 0 or self.type is Type.NULL:
                return names
            return pc.if_else(self.values.is_valid(), names, pa.scalar(None, pa.string()))
        pieces = [(r, Column(Type.TEXT, part.types())) for r, part in self.parts()]
        return combine(len(self), pieces).values.cast(pa.string())

    # -- texts and Python values ------------------------------------------------------------

    def to_json(self, *, marked: bool = True) -> pa.StringArray:
        """Return the JSON text of each value; NULL stays NULL.

        Datetimes become strings; `marked` puts `DATETIME_MARK` before them, so that they can be
        told from strings again: for JSON inside the engine, not for what leaves it.
        """
        values = self.values
        match self.type:
            case Type.NULL:
                return pa.nulls(len(values), pa.string())
            case Type.TEXT:
                return quote(values)
            case Type.DATETIME:
                return quote(instants.format_ticks(values), DATETIME_MARK if marked else "")
            case Type.FLOAT:
                return float_texts(values)
            case Type.NUMBER:
                whole = pc.if_else(self.integers, values, 0.0).cast(pa.int64()).cast(pa.string())
                return pc.if_else(self.integers, whole, float_texts(values))
            case Type.BIGINT | Type.BIT:
                return values.cast(pa.string())
            case _:
                return values if marked else unmark(values)

    def to_pylist(self) -> list[Any]:
        """Return Python values: int, float, str, bool, datetime (UTC), dict, list, None."""
        match self.type:
            case Type.DATETIME:
                ticks = self.values.to_pylist()
                return [None if t is None else instants.to_datetime(t) for t in ticks]
            case Type.NUMBER:
                pairs = zip(self.values.to_pylist(), mask_of(self.integers), strict=True)
                return [int(v) if v is not None and whole else v for v, whole in pairs]
            case Type.ANY | Type.RECORD | Type.ARRAY:
                found = loads(self.values)
                if DATETIME_MARK.encode() in bytes_of(self.values).tobytes():
                    return [revive(value) for value in found]
                return found
            case _:
                return list(self.values.to_pylist())


def nulls(count: int) -> Column:
    """Return a column of NULLs."""
    return Column(Type.NULL, pa.nulls(count), None, True)


def constant(value: object, count: int) -> Column:
    """Return a column that repeats one Python value (int, float, str, bool, None)."""
    if value is None:
        return nulls(count)
    kind = python_type(value)
    return Column(kind, pa.repeat(pa.scalar(value, STORAGE[kind]), count), None, True)


def from_values(values: Sequence[Any]) -> Column:
    """Return a column of Python values of any types (dict, list and datetime included)."""
    kinds = {python_type(v) for v in values if v is not None}
    if not kinds:
        return nulls(len(values))
    if len(kinds) == 1:
        kind = kinds.pop()
        if kind is Type.DATETIME:
            ticks = [None if v is None else instants.from_datetime(v) for v in values]
            return Column(kind, pa.array(ticks, pa.int64()))
        if kind not in JSON_TYPES:
            return Column(kind, pa.array(values, STORAGE[kind]))
    else:
        kind = Type.ANY
    texts = [None if v is None else dump(v) for v in values]
    return Column(kind, pa.array(texts, pa.string())).normal()


def _typed(kind: Type, texts: pa.StringArray) -> list[tuple[Rows | None, Column]]:
    """Turn JSON texts of one class into columns of one type."""
    if kind is Type.TEXT:
        values = unquote(texts)
        if DATETIME_MARK.encode() not in bytes_of(texts).tobytes():
            return [(None, Column(kind, values))]
        marked = mask_of(pc.starts_with(values, DATETIME_MARK))
        pieces: list[tuple[Rows | None, Column]] = []
        for flag in (True, False):
            rows = np.flatnonzero(marked == flag)
            if len(rows) == 0:
                continue
            some = values.take(pa.array(rows))
            if flag:
                iso = pc.replace_substring(some, DATETIME_MARK, "")
                pieces.append((rows, Column(Type.DATETIME, instants.parse(iso))))
            else:
                pieces.append((rows, Column(Type.TEXT, some)))
        return pieces
    if kind is Type.BIT:
        return [(None, Column(kind, texts.cast(pa.bool_())))]
    if kind is Type.NUMBER:
        numbers = parse_numbers(texts)
        return _exact_parts(texts) if numbers.type is Type.ANY else numbers.parts()
    return [(None, Column(kind, texts))]


def parse_numbers(texts: pa.StringArray) -> Column:
    """Return JSON number texts as bigint, float, number or (beyond 2^53 beside floats) any."""
    data = bytes_of(texts)
    fraction = data == 46
    dots = int(fraction.sum())
    exponents = bool(((data | 32) == 101).any())
    if dots == 0 and not exponents:
        return Column(Type.BIGINT, texts.cast(pa.int64()))
    floats = texts.cast(pa.float64())
    if dots == len(texts) - texts.null_count and not exponents:
        return Column(Type.FLOAT, floats)
    whole = pc.invert(pc.match_substring_regex(texts, "[.eE]"))
    mask = mask_of(whole)
    if not mask.any():
        return Column(Type.FLOAT, floats)
    if bool((np.abs(np.asarray(floats.fill_null(0))[mask]) >= 2.0**53).any()):
        return Column(Type.ANY, texts)
    return Column(Type.NUMBER, floats, pa.array(mask))


def _exact_parts(texts: pa.StringArray) -> list[tuple[Rows | None, Column]]:
    """Split number texts into bigint and float where `number` would round the bigints."""
    whole = mask_of(pc.invert(pc.match_substring_regex(texts, "[.eE]")))
    pieces: list[tuple[Rows | None, Column]] = []
    for mask, kind in ((whole, Type.BIGINT), (~whole, Type.FLOAT)):
        rows = np.flatnonzero(mask)
        pieces.append((rows, Column(kind, texts.take(pa.array(rows)).cast(STORAGE[kind]))))
    return pieces


def _number_parts(column: Column) -> list[tuple[Rows | None, Column]]:
    whole = mask_of(column.integers)
    known = column.valid()
    pieces: list[tuple[Rows | None, Column]] = []
    for mask, kind in (
        (whole & known, Type.BIGINT),
        (~whole & known, Type.FLOAT),
        (~known, Type.NULL),
    ):
        rows = np.flatnonzero(mask)
        if len(rows) == 0:
            continue
        if kind is Type.NULL:
            pieces.append((rows, nulls(len(rows))))
        else:
            values = column.values.take(pa.array(rows)).cast(STORAGE[kind])
            pieces.append((rows, Column(kind, values)))
    return pieces


def combine(count: int, pieces: Sequence[tuple[Rows | None, Column]]) -> Column:
    """Put pieces together to a column of `count` rows; rows in no piece are NULL.

    The type is that of the pieces when they agree, `number` for bigint with float (if exact), else
    `any`. A piece with rows None holds all rows.
    """
    some = [(rows, part) for rows, part in pieces if part.type is not Type.NULL and len(part)]
    if not some:
        return nulls(count)
    if len(some) == 1 and some[0][0] is None:
        return some[0][1]
    joined = concat([part for _, part in some])
    places = np.full(count, -1, np.int64)
    start = 0
    for rows, part in some:
        places[slice(None) if rows is None else rows] = np.arange(start, start + len(part))
        start += len(part)
    index = pa.array(places, mask=places < 0)
    integers = None if joined.integers is None else joined.integers.take(index).fill_null(False)
    return Column(joined.type, joined.values.take(index), integers)


_ALONE = ({Type.BIGINT}, {Type.FLOAT})


def concat(columns: Sequence[Column]) -> Column:
    """Put columns one below the other, widening their type as far as needed."""
    kinds = {c.type for c in columns if c.type is not Type.NULL}
    if not kinds:
        return nulls(sum(len(c) for c in columns))
    if kinds <= {Type.BIGINT, Type.FLOAT, Type.NUMBER} and kinds not in _ALONE:
        numbers = [n for n in map(_as_number, columns) if n is not None]
        if len(numbers) == len(columns):
            values = concatenated([n.values for n in numbers])
            return Column(Type.NUMBER, values, concatenated([n.integers for n in numbers]))
    elif len(kinds) == 1:
        kind = kinds.pop()
        return Column(kind, concatenated([c.values.cast(STORAGE[kind]) for c in columns]))
    return Column(Type.ANY, concatenated([c.to_json() for c in columns]))


def _as_number(column: Column) -> Column | None:
    """Return a numeric column as `number`; None when an integer would not be exact."""
    if column.type is Type.NUMBER:
        return column
    values = column.values.cast(pa.float64(), safe=False)
    whole = column.type is Type.BIGINT
    if whole:
        exact = np.asarray(column.values.fill_null(0))
        if bool(((exact > 2**53) | (exact < -(2**53))).any()):
            return None
    return Column(Type.NUMBER, values, pa.repeat(pa.scalar(whole), len(column)))
