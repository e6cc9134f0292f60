"""Functions of arrays: JSON text columns, parsed with one call a batch."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..column import Column, nulls
from ..errors import DataError
from ..python_values import dump
from ..text import loads
from ..types import Array, Type
from .registry import FunctionSet

ARRAYS = FunctionSet("array")


def json_of(value: Any) -> str | None:
    """Return the JSON text of a parsed value; NULL for null, a float for an integer beyond 64 bits.

    The mark of a datetime is part of its parsed string, and stays.
    """
    if value is None:
        return None
    if type(value) is int and not -(2**63) <= value < 2**63:
        value = float(value)
    return dump(value)


@ARRAYS.scalar("GetArrayElement", (Type.ARRAY, Type.BIGINT), Type.ANY)
def get_array_element(array: Column, index: Column) -> Column:
    """The element of an array at a place counted from 0; NULL where there is none.

    sql> GetArrayElement(JSON_PARSE('["p", 4]'), 0)
    'p'
    sql> GetArrayElement(JSON_PARSE('["p", 4]'), 7)
    NULL
    """
    # Elements are picked in Python: an array's shape is its own in every row.
    pairs = zip(loads(array.values), index.values.to_pylist(), strict=True)
    found = [
        json_of(items[at])
        if isinstance(items, list) and at is not None and 0 <= at < len(items)
        else None
        for items, at in pairs
    ]
    return Column(Type.ANY, pa.array(found, pa.string())).normal()


@ARRAYS.scalar("GetArrayLength", (Type.ARRAY,), Type.BIGINT)
def get_array_length(array: Column) -> Array:
    """The number of elements of an array, NULLs among them.

    sql> GetArrayLength(JSON_PARSE('[1, null, 3]'))
    3
    sql> GetArrayLength(JSON_PARSE('[]'))
    0
    """
    counts = [len(items) if isinstance(items, list) else None for items in loads(array.values)]
    return pa.array(counts, pa.int64())


def get_array_elements(column: Column) -> tuple[NDArray[np.int64], Column, Column]:
    """Return the elements of all arrays, in order: (row of the array, index, value).

    NULL counts as empty. Raises DataError with the row for a value that is no array.
    """
    parsed = parsed_as(column, Type.ARRAY)
    lengths = np.array([len(items or ()) for items in parsed], np.int64)
    parents = np.repeat(np.arange(len(column)), lengths)
    starts = np.cumsum(lengths) - lengths
    index = np.arange(len(parents)) - np.repeat(starts, lengths)
    texts = [json_of(item) for item in chain.from_iterable(items or () for items in parsed)]
    values = Column(Type.ANY, pa.array(texts, pa.string())).normal()
    return parents, Column(Type.BIGINT, pa.array(index)), values if texts else nulls(0)


def parsed_as(column: Column, want: Type) -> list[Any]:
    """Return the parsed arrays or records of a column, None for NULL.

    Raises DataError with the row for a value of another type.
    """
    for rows, part in column.parts():
        if part.type in (want, Type.NULL) or not part.valid().any():
            continue
        row = int(np.argmax(part.valid()))
        raise DataError(
            f"cannot cast value of type '{part.type}' to type '{want}'",
            row=row if rows is None else int(rows[row]),
        )
    if column.type is Type.NULL:
        return [None] * len(column)
    return loads(column.values)
