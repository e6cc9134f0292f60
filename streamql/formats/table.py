"""Arrow tables to rows, and columns to Arrow tables.

In: integers are bigint, floats and decimals float, timestamps and dates datetime (without a time
zone they are UTC), structs and maps records, lists arrays, binary base64 text, times of day text.
Arrow cannot tell absent from null: a null inside a record stays null. NaN and infinity, which no
type of the language holds, are NULL.
Out: datetime is timestamp[us, UTC]; records and arrays become structs and lists when their values
allow it, else their JSON text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column, nulls
from ..errors import InputError
from ..instants import MAX_TICKS, MIN_TICKS, TICKS_PER_DAY, TICKS_PER_SECOND
from ..rows import ColumnRows, objects
from ..text import bytes_of
from ..types import DATETIME_MARK, JSON_TYPES, Array, Type

_TICKS = {"s": TICKS_PER_SECOND, "ms": 10_000, "us": 10}


def rows_from_arrow(batch: pa.RecordBatch) -> ColumnRows:
    """Return the rows of a record batch; `InputError` names a column that has no SQL type."""
    columns: dict[str, Column] = {}
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if name in columns:
            raise InputError(f"two columns are named {name!r}", hint="names must be unique")
        try:
            columns[name] = column_from_arrow(values)
        except pa.ArrowInvalid as error:
            raise InputError(f"column {name!r} ({values.type}) does not fit: {error}") from error
        except TypeError as error:
            raise InputError(f"column {name!r}: {error}") from error
    return ColumnRows(columns, batch.num_rows)


def column_from_arrow(values: Array) -> Column:
    """Return an Arrow array as a column."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return column_from_arrow(values.dictionary_decode())
    if isinstance(values, pa.ExtensionArray):
        return column_from_arrow(values.storage)
    if pa.types.is_null(kind):
        return nulls(len(values))
    if pa.types.is_boolean(kind):
        return Column(Type.BIT, values)
    if pa.types.is_integer(kind):
        return Column(Type.BIGINT, values.cast(pa.int64()))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return Column(Type.FLOAT, _finite(values.cast(pa.float64())))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Column(Type.DATETIME, _ticks(values))
    if _is_nested(kind):
        return Column(Type.ARRAY if _is_list(kind) else Type.RECORD, _json(values))
    return Column(Type.TEXT, _texts(values))


def _is_nested(kind: pa.DataType) -> bool:
    return _is_list(kind) or pa.types.is_struct(kind) or pa.types.is_map(kind)


def _is_list(kind: pa.DataType) -> bool:
    checks = (
        pa.types.is_list,
        pa.types.is_large_list,
        pa.types.is_fixed_size_list,
        pa.types.is_list_view,
        pa.types.is_large_list_view,
    )
    return any(check(kind) for check in checks)


def _finite(values: Array) -> Array:
    """Return floats with NaN and infinity as NULL."""
    if np.isfinite(values.fill_null(0.0).to_numpy(zero_copy_only=False)).all():
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def _texts(values: Array) -> pa.StringArray:
    """Return strings, times of day, and binary values (as base64) as text."""
    kind = values.type
    if str(kind).startswith(("string", "large_string")) or pa.types.is_time(kind):
        texts = values.cast(pa.string())
        if len(texts) and DATETIME_MARK.encode() in bytes_of(texts).tobytes():
            return pc.replace_substring(texts, DATETIME_MARK, "\ufffd")
        return texts
    if str(kind).startswith(("binary", "large_binary", "fixed_size_binary")):
        # row by row (3 million/s): binary columns are rare, and Arrow has no base64
        found = [None if v is None else base64.b64encode(v).decode() for v in values.to_pylist()]
        return pa.array(found, pa.string())
    raise TypeError(f"the Arrow type {kind} has no SQL type")


def _ticks(values: Array) -> pa.Int64Array:
    """Return timestamps and dates as ticks of 100 ns; `ArrowInvalid` outside of years 1 to 9999."""
    if pa.types.is_date(values.type):
        days = values.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        return _scaled(days, TICKS_PER_DAY)
    whole = values.cast(pa.int64())
    if values.type.unit != "ns":
        return _scaled(whole, _TICKS[values.type.unit])
    raw = whole.fill_null(0).to_numpy() // 100
    return pa.array(raw, mask=_missing(whole)) if whole.null_count else pa.array(raw)


def _scaled(values: pa.Int64Array, factor: int) -> pa.Int64Array:
    limits = pc.min_max(values)
    low, high = limits["min"].as_py(), limits["max"].as_py()
    if low is not None and (low * factor < MIN_TICKS or high * factor > MAX_TICKS):
        raise pa.ArrowInvalid("a datetime outside of the years 1 to 9999")
    return pc.multiply(values, factor)


def _missing(values: Array) -> NDArray[np.bool_]:
    return np.asarray(values.is_null().to_numpy(zero_copy_only=False), bool)


def _json(values: Array) -> pa.StringArray:
    """Return the JSON text of each value; NULL stays NULL. Columnar at every depth."""
    kind = values.type
    if not _is_nested(kind):
        column = column_from_arrow(values)
        if column.type in JSON_TYPES:  # a dictionary or an extension of nested values
            return column.values
        return column.to_json()
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        texts = objects(names, [_json(child) for child in values.flatten()], len(values))
        return _with_nulls(texts, values)
    if pa.types.is_map(kind):
        keys = _texts(values.keys.cast(pa.string()))
        members = pc.binary_join_element_wise(
            Column(Type.TEXT, keys).to_json(), _json(values.items).fill_null("null"), ":"
        )
        return _enclosed(values, values.offsets, members, "{", "}")
    if not pa.types.is_list(kind):  # large, of a fixed size, views
        return _json(values.cast(pa.list_(kind.value_type)))
    return _enclosed(values, values.offsets, _json(values.values).fill_null("null"), "[", "]")


def _enclosed(
    values: Array, offsets: Array, members: pa.StringArray, before: str, after: str
) -> pa.StringArray:
    """Return before + the members of each value, with commas + after."""
    lists = pa.ListArray.from_arrays(offsets, members)
    texts = pc.binary_join_element_wise(before, pc.binary_join(lists, ","), after, "")
    return _with_nulls(texts, values)


def _with_nulls(texts: pa.StringArray, values: Array) -> pa.StringArray:
    if values.null_count == 0:
        return texts
    return pc.if_else(values.is_valid(), texts, pa.scalar(None, pa.string()))


def to_arrow(columns: Mapping[str, Column]) -> pa.Table:
    """Return columns as an Arrow table."""
    arrays = [array_of(column.normal()) for column in columns.values()]
    return pa.Table.from_arrays(arrays, names=list(columns))


def array_of(column: Column) -> Array:
    """Return one column as an Arrow array."""
    match column.type:
        case Type.DATETIME:
            raw = column.values.fill_null(0).to_numpy() // 10
            mask = _missing(column.values) if column.values.null_count else None
            return pa.array(raw, mask=mask).cast(pa.timestamp("us", "UTC"))
        case Type.RECORD | Type.ARRAY | Type.ANY:
            try:
                return pa.array(column.to_pylist())
            except (pa.ArrowException, TypeError, OverflowError, ValueError):
                return column.to_json(marked=False)
        case _:
            return column.values
