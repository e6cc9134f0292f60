"""CAST and TRY_CAST between the types of the language, and GetType."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import instants
from ..column import Column, combine, nulls
from ..errors import DataError
from ..text import mask_of
from ..types import STORAGE, Array, Type
from .implicit import numbers, texts
from .operators import first_row
from .registry import FunctionSet
from .split import each_group

CONVERSIONS = FunctionSet("conversion")

_NUMERIC = (Type.BIGINT, Type.FLOAT, Type.BIT)
_CASTS: dict[Type, frozenset[Type]] = {
    Type.BIGINT: frozenset({*_NUMERIC, Type.TEXT}),
    Type.FLOAT: frozenset({*_NUMERIC, Type.TEXT}),
    Type.BIT: frozenset({*_NUMERIC, Type.TEXT}),
    Type.TEXT: frozenset({*_NUMERIC, Type.TEXT, Type.DATETIME}),
    Type.DATETIME: frozenset({Type.DATETIME, Type.TEXT}),
    Type.RECORD: frozenset({Type.RECORD, Type.TEXT}),
    Type.ARRAY: frozenset({Type.ARRAY, Type.TEXT}),
}
_INTEGER = r"^\s*[+-]?[0-9]+\s*$"


def castable(given: Type, want: Type) -> bool:
    """Tell whether some values of type `given` can be cast to `want` (unknown types can)."""
    return given not in _CASTS or want in _CASTS[given]


def cast_to(column: Column, want: Type, lenient: bool) -> Column:
    """Return the values as type `want`, each by the rule for its own type.

    A value that cannot be converted is NULL if `lenient` (TRY_CAST), else DataError with its row.
    """
    if column.type is want or len(column) == 0:
        return column
    if column.constant and len(column) > 1:
        one = cast_to(column.first(), want, lenient)
        repeated = one.take(np.zeros(len(column), np.int64))
        return Column(repeated.type, repeated.values, repeated.integers, True)
    groups = column.parts()
    return combine(len(column), each_group(groups, lambda _, part: _cast(part, want, lenient)))


def _cast(part: Column, want: Type, lenient: bool) -> Column:
    """Cast a column of one type."""
    given = part.type
    if given is want or given is Type.NULL:
        return part
    if not castable(given, want):
        row = first_row(part.valid())
        if lenient or row is None:
            return nulls(len(part))
        raise DataError(f"cannot cast value of type '{given}' to type '{want}'", row=row)
    values = _converted(part, want).cast(STORAGE[want])
    if not lenient and values.null_count > part.values.null_count:
        row = first_row(mask_of(values.is_null()) & part.valid())
        shown = texts(part.slice(row or 0, 1))[0].as_py()
        shown = repr(shown) if given is Type.TEXT else shown
        raise DataError(
            f"cannot cast {shown} of type '{given}' to type '{want}'",
            row=row,
            hint=f"TRY_CAST(... AS {want}) gives NULL instead",
        )
    return Column(want, values)


def _converted(part: Column, want: Type) -> Array:
    """Return the converted values; NULL for what cannot be converted."""
    values = part.values
    match part.type, want:
        case _, Type.TEXT:
            return texts(part)
        case Type.TEXT, Type.BIGINT:
            return _integers(values)
        case Type.TEXT, Type.FLOAT:
            return numbers(values)
        case Type.TEXT, Type.DATETIME:
            return instants.parse(values)
        case Type.TEXT, Type.BIT:
            lowered = pc.utf8_lower(pc.utf8_trim_whitespace(values))
            yes = pc.is_in(lowered, value_set=pa.array(["true", "1"]))
            no = pc.is_in(lowered, value_set=pa.array(["false", "0"]))
            return pc.if_else(pc.or_(yes, no), yes, pa.scalar(None, pa.bool_()))
        case Type.FLOAT, Type.BIGINT:
            fits = pc.and_(pc.greater_equal(values, -(2.0**63)), pc.less(values, 2.0**63))
            good = pc.if_else(fits, values, pa.scalar(None, pa.float64()))
            return pc.trunc(good).cast(pa.int64())
        case ((Type.BIGINT | Type.FLOAT), Type.BIT):
            return pc.not_equal(values, 0)
        case Type.BIT, Type.FLOAT:
            return values.cast(pa.int64()).cast(pa.float64())
        case _:  # bit to bigint; bigint to float, rounded to the nearest
            return values.cast(STORAGE[want], safe=False)


def _integers(values: pa.StringArray) -> pa.Int64Array:
    """Return the bigints of decimal texts; NULL for other texts and beyond 64 bits."""
    good = pc.match_substring_regex(values, _INTEGER)
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(values), r"^\+", "")
    plain = pc.if_else(good, plain, pa.scalar(None, pa.string()))
    try:
        return plain.cast(pa.int64())
    except pa.ArrowInvalid:
        # Row by row, as some number does not fit.
        several = [None if t is None else int(t) for t in plain.to_pylist()]
        fits = [n if n is not None and -(2**63) <= n < 2**63 else None for n in several]
        return pa.array(fits, pa.int64())


@CONVERSIONS.scalar("GetType", (Type.ANY,), Type.TEXT)
def get_type(column: Column) -> Array:
    """The name of a value's type; NULL for NULL.

    sql> GetType(1)
    'bigint'
    sql> GetType(1.0)
    'float'
    sql> GetType('x')
    'nvarchar(max)'
    sql> GetType(NULL)
    NULL
    """
    return column.types()
