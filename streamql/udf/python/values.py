"""What Python functions return: their annotations as types, their values as columns."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ...column import Column, from_values
from ...errors import FunctionError
from ...types import Type

_TYPES: dict[object, Type] = {
    int: Type.BIGINT,
    float: Type.FLOAT,
    str: Type.TEXT,
    bool: Type.BIT,
    datetime: Type.DATETIME,
    dict: Type.RECORD,
    list: Type.ARRAY,
    tuple: Type.ARRAY,
}
_SIMPLE: tuple[type, ...] = (bool, int, float, str, type(None))
_BIGINT = range(-(2**63), 2**63)
_NUMBERS = (Type.BIGINT, Type.FLOAT, Type.NUMBER)
GOOD = "return int, float, str, bool, datetime, dict, list or None"


def returned_type(function: Callable[..., Any]) -> Type:
    """Return the type that a function's annotation promises; `any` where it says nothing.

    `int | None` is bigint: every type has NULL.
    """
    try:
        hint = typing.get_type_hints(function).get("return")
    except Exception:  # an annotation may name what exists for type checkers only
        return Type.ANY
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        some = [one for one in typing.get_args(hint) if one is not type(None)]
        hint = some[0] if len(some) == 1 else None
    return _TYPES.get(typing.get_origin(hint) or hint, Type.ANY)


def column_of(name: str, values: Sequence[Any], returns: Type = Type.ANY) -> Column:
    """Return the results of a function as a column.

    Raises FunctionError with the row of the first value that is none of the language, or not of
    the type that the annotation promises. Whole numbers fit where floats are promised.
    """
    kinds = set(map(type, values))
    if not kinds <= set(_SIMPLE) or not _plain(values, kinds):
        for row, value in enumerate(values):
            if (wrong := misfit(value)) is not None:
                raise FunctionError(f"{name} returned {wrong}", hint=GOOD, row=row)
        values = [_as_datetime(v) if isinstance(v, date) else v for v in values]
    column = from_values(values)
    if returns is Type.ANY or column.type in (Type.NULL, returns):
        return column
    if returns is Type.FLOAT and column.type in _NUMBERS:
        return Column(returns, column.values.cast(pa.float64(), safe=False))
    for rows, part in column.parts():
        fits = part.type in (Type.NULL, returns)
        if not fits and not (returns is Type.FLOAT and part.type is Type.BIGINT):
            row = int(np.argmax(part.valid())) if rows is None else int(rows[0])
            raise FunctionError(
                f"{name} returned {values[row]!r:.80}, and its annotation promises {returns}",
                hint="let the annotation say what is returned, or leave it out",
                row=row,
            )
    return column


def _plain(values: Sequence[Any], kinds: set[type]) -> bool:
    """Tell whether simple values are sound; those of other functions are looked at one by one."""
    try:
        if float in kinds:
            total = sum(v for v in values if type(v) is float)
            if not math.isfinite(total):
                return False
        if int in kinds:
            pa.array([v for v in values if type(v) is int], pa.int64())
        if str in kinds:
            pa.array([v for v in values if type(v) is str], pa.string())
    except (OverflowError, ValueError):
        return False
    return True


def misfit(value: Any) -> str | None:
    """Return why a value, or something inside of it, is none of the language; None if it is."""
    match value:
        case None | bool() | np.bool_():
            return None
        case int() | np.integer():
            return None if int(value) in _BIGINT else "an integer beyond 64 bits"
        case float() | np.floating():
            return None if math.isfinite(value) else f"{value}, which is no value"
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return "a text with half of a surrogate pair"
            return None
        case date():
            same = value == value  # pandas' NaT, which is a datetime, differs from itself
            return None if same else "NaT, which is no value"
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str):
                    return f"a dict with the key {key!r:.40}, which is no text"
                if (wrong := misfit(inner)) is not None:
                    return wrong
            return None
        case list() | tuple():
            return next((wrong for one in value if (wrong := misfit(one)) is not None), None)
        case _:
            return f"a value of type {type(value).__name__}, which has no SQL type"


def _as_datetime(value: date) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - without a zone it is UTC
