"""Implicit conversions: what a column becomes when a parameter wants another type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import instants
from ..column import Column, float_texts
from ..errors import DataError
from ..text import mask_of
from ..types import Type

ARTICLES = {0: "1st", 1: "2nd", 2: "3rd"}


def convert(column: Column, want: Type, name: str) -> Column:
    """Return the column as type `want`, by the implicit conversions of the language (section 7.2).

    Raises DataError with the row when a text is no datetime or no number.
    """
    given = column.type
    if given is want or want is Type.ANY or given is Type.NULL:
        return column
    values = column.values
    match given, want:
        case (Type.BIGINT, Type.FLOAT | Type.NUMBER) | (Type.FLOAT, Type.NUMBER):
            return Column(want, values.cast(pa.float64(), safe=False), None, column.constant)
        case (Type.TEXT, Type.DATETIME):
            ticks = instants.parse(values)
            _refuse_new_nulls(values, ticks, "datetime", name)
            return Column(want, ticks, None, column.constant)
        case (Type.TEXT, Type.FLOAT):
            floats = numbers(values)
            _refuse_new_nulls(values, floats, "float", name)
            return Column(want, floats, None, column.constant)
        case (Type.BIGINT | Type.BIT, Type.TEXT):
            return Column(want, values.cast(pa.string()), None, column.constant)
        case (Type.FLOAT, Type.TEXT):
            return Column(want, float_texts(values), None, column.constant)
        case (Type.DATETIME, Type.TEXT):
            return Column(want, instants.format_ticks(values), None, column.constant)
        case (Type.BIT, Type.BIGINT):
            return Column(want, values.cast(pa.int64()), None, column.constant)
        case _:
            raise AssertionError(f"no conversion from {given} to {want}")


def numbers(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the floats of decimal texts; NULL for what is none ("NaN" and blanks included)."""
    trimmed = pc.utf8_trim_whitespace(texts)
    shape = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
    good = pc.match_substring_regex(trimmed, shape)
    plain = pc.replace_substring_regex(trimmed, r"^\+", "")
    return pc.if_else(good, plain, pa.scalar(None, pa.string())).cast(pa.float64())


def _refuse_new_nulls(texts: pa.Array, values: pa.Array, want: str, name: str) -> None:
    if values.null_count == texts.null_count:
        return
    bad = mask_of(pc.and_(texts.is_valid(), values.is_null()))
    row = int(np.argmax(bad))
    raise DataError(f"{name}: cannot convert {texts[row].as_py()!r} to {want}", row=row)
