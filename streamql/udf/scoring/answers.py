"""From the results in an answer to a column, and which of them are none."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ... import instants
from ...column import Column, constant, from_values
from ...text import mask_of, valid
from ...types import STORAGE, Type
from .protocols.protocol import BadAnswer

_BIGINT = range(-(2**63), 2**63)
_NO_FLOAT = "NaN or infinity, which is no value of the query language"


def parse(body: bytes) -> object:
    """Return the JSON value of an answer; NaN and Infinity (Python writes them) become floats.

    Raises BadAnswer when it is not JSON.
    """
    try:
        answer: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            # only here: 10 times slower, for the tokens that JSON does not have
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise BadAnswer("something that is not JSON") from None
    return answer


def column_of(results: list[Any], returns: Type) -> tuple[Column, dict[int, str]]:
    """Return the results as a column, and what is wrong with each that does not fit (NULL there).

    With `returns` other than `any`, every result must have that type (a bigint fits a float).
    """
    kinds = set(map(type, results))
    bad: dict[int, str] = {}
    if kinds == {float}:
        column, bad = _floats(results)
    elif kinds == {int}:
        try:
            column = Column(Type.BIGINT, pa.array(results, pa.int64()))
        except (pa.ArrowInvalid, OverflowError):
            column, bad = _any(results)
    elif kinds == {str}:
        column = Column(Type.TEXT, pa.array(results, pa.string()))
    else:
        column, bad = _any(results)
    return (column, bad) if returns is Type.ANY else _typed(column, bad, returns)


def all_finite(values: Any) -> bool:
    """Return whether an array of floats has no NaN and no infinity, as far as a sum tells.

    False for numbers near the greatest one as well: they are to be looked at one by one.
    """
    with np.errstate(all="ignore"):
        return math.isfinite(values.sum())


def _floats(results: list[Any]) -> tuple[Column, dict[int, str]]:
    values = pa.array(results, pa.float64())
    finite = values.to_numpy()
    if all_finite(finite):
        return Column(Type.FLOAT, values), {}
    mask = ~np.isfinite(finite)
    good = pa.array(finite, pa.float64(), mask=mask)
    return Column(Type.FLOAT, good), dict.fromkeys(np.flatnonzero(mask).tolist(), _NO_FLOAT)


def _any(results: list[Any]) -> tuple[Column, dict[int, str]]:
    """Results of several types, or records: looked at one by one (1 to 2 million a second)."""
    bad = {row: wrong for row, value in enumerate(results) if (wrong := _wrong(value))}
    if bad:
        results = [None if row in bad else value for row, value in enumerate(results)]
    return from_values(results), bad


def _wrong(value: Any) -> str | None:
    """Return why a result (or something inside of it) is no value of the language."""
    match value:
        case float():
            return None if math.isfinite(value) else _NO_FLOAT
        case bool() | str() | None:
            return None
        case int():
            return None if value in _BIGINT else "an integer beyond 64 bits"
        case list() | dict():
            inner = value.values() if isinstance(value, dict) else value
            return next((wrong for one in inner if (wrong := _wrong(one))), None)
        case _:
            return f"a Python value of type {type(value).__name__}"


def _typed(column: Column, bad: dict[int, str], returns: Type) -> tuple[Column, dict[int, str]]:
    """Check the values against the configured type; those that differ are NULL and bad."""
    if column.type is Type.NULL or column.type is returns:
        return column, bad
    if returns is Type.FLOAT and column.type in (Type.BIGINT, Type.NUMBER):
        return Column(returns, column.values.cast(pa.float64(), safe=False)), bad
    if returns is Type.DATETIME and column.type is Type.TEXT:
        ticks = instants.parse(column.values)
        return Column(returns, ticks), bad | _lost(column, ticks, returns)
    if column.type not in (Type.ANY, Type.NUMBER):
        return Column(Type.NULL, pa.nulls(len(column))), bad | _lost(column, None, returns)
    values = pa.nulls(len(column), STORAGE[returns])
    for rows, part in column.parts():
        fitting, wrong = _typed(part, {}, returns)
        where = np.arange(len(column)) if rows is None else rows
        bad = bad | {int(where[row]): why for row, why in wrong.items()}
        index = np.full(len(column), -1, np.int64)
        index[where] = np.arange(len(where))
        places = pa.array(index, mask=index < 0)
        values = pc.coalesce(values, fitting.values.cast(STORAGE[returns]).take(places))
    return Column(returns, values), bad


def _lost(column: Column, values: pa.Array | None, returns: Type) -> dict[int, str]:
    known = valid(column.values)
    lost = known if values is None else known & ~mask_of(values.is_valid())
    return dict.fromkeys(
        np.flatnonzero(lost).tolist(), f"a value of type {column.type} instead of {returns}"
    )


def repeated(value: Any, count: int) -> Column:
    """Return a column that repeats one JSON value."""
    if isinstance(value, list | dict):
        return from_values([value]).take(np.zeros(count, np.int64))
    return constant(value, count)
