"""Implicit conversions: what a column becomes when a parameter wants another type.

Texts of values are those of .NET's invariant culture, which Azure Stream Analytics runs on: a
float without a fraction prints none (75.0 is '75'), a very large or small one has an exponent of
two digits and more ('1E+20', '1E-05'), and a bit is '1' or '0'.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import instants
from ..column import Column
from ..errors import DataError
from ..text import mask_of, unmark
from ..types import Type

ARTICLES = {0: "1st", 1: "2nd", 2: "3rd"}


def convert(column: Column, want: Type, name: str) -> Column:
    """Return the column as type `want`, by the implicit conversions of the language.

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
        case (Type.BIGINT | Type.BIT | Type.FLOAT | Type.DATETIME, Type.TEXT):
            return Column(want, texts(column), None, column.constant)
        case (Type.BIT, Type.BIGINT):
            return Column(want, values.cast(pa.int64()), None, column.constant)
        case _:
            raise AssertionError(f"no conversion from {given} to {want}")


def texts(column: Column) -> pa.StringArray:
    """Return the text of each value of a column of one type, as CAST to nvarchar(max) gives it."""
    values = column.values
    match column.type:
        case Type.FLOAT:
            return _float_texts(values)
        case Type.BIT:
            return pc.if_else(values, "1", "0")
        case Type.DATETIME:
            return instants.format_ticks(values)
        case Type.RECORD | Type.ARRAY:
            return unmark(values)
        case Type.TEXT:
            return values
        case _:
            return values.cast(pa.string())


def _float_texts(values: pa.DoubleArray) -> pa.StringArray:
    found = values.cast(pa.string())
    raw = np.asarray(values.fill_null(1.0).to_numpy(zero_copy_only=False))
    size = np.abs(raw)
    # Arrow writes exponents from 1e10 on, .NET from 1e15 on
    large = size >= 1e10
    if large.any():
        whole = large & (size < 1e15) & (np.trunc(raw) == raw)
        plain = pa.array(np.where(whole, raw, 0).astype(np.int64)).cast(pa.string())
        found = pc.if_else(pa.array(whole), plain, found)
        large &= ~whole
    rows = np.flatnonzero(large | ((size < 1e-4) & (size > 0)))
    if len(rows) == 0:
        return found
    # Row by row: floats this large with a fraction, or this small, are rare.
    several = found.to_pylist()
    for row in rows:
        several[row] = _with_exponent(float(raw[row]))
    return pa.array(several, pa.string())


def _with_exponent(value: float) -> str:
    """Return the shortest text that reads back as the same float, as .NET writes it."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    mantissa, exponent = np.format_float_scientific(value, trim="-", exp_digits=2).split("e")
    if -5 < int(exponent) < 15:
        return np.format_float_positional(value, trim="-")
    return f"{mantissa}E{exponent}"


def numbers(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the floats of decimal texts; NULL for what is none ("NaN" and blanks included)."""
    try:
        quick = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        pass  # some text is no number, or has blanks around it
    else:
        if bool(np.isfinite(quick.fill_null(0.0).to_numpy(zero_copy_only=False)).all()):
            return quick
    trimmed = pc.utf8_trim_whitespace(texts)
    shape = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
    good = pc.match_substring_regex(trimmed, shape)
    plain = pc.replace_substring_regex(trimmed, r"^\+", "")
    none = pa.scalar(None, pa.string())
    floats = pc.if_else(good, plain, none).cast(pa.float64())
    return pc.if_else(pc.is_finite(floats), floats, pa.scalar(None, pa.float64()))


def _refuse_new_nulls(texts: pa.Array, values: pa.Array, want: str, name: str) -> None:
    if values.null_count == texts.null_count:
        return
    bad = mask_of(pc.and_(texts.is_valid(), values.is_null()))
    row = int(np.argmax(bad))
    raise DataError(f"{name}: cannot convert {texts[row].as_py()!r} to {want}", row=row)
