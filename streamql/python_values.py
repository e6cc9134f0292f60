"""Python values and the types and JSON texts they have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from . import instants
from .types import DATETIME_MARK, Type


def dump(value: Any) -> str:
    """Return the JSON text of a Python value, datetimes marked."""
    try:
        return orjson.dumps(
            value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME
        ).decode()
    except TypeError:  # an integer beyond 64 bits inside
        return json.dumps(value, default=_default, separators=(",", ":"), ensure_ascii=False)


def _default(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        ticks = pa.array([instants.from_datetime(value)], pa.int64())
        return DATETIME_MARK + instants.format_ticks(ticks)[0].as_py()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__} has no SQL type")


def python_type(value: object) -> Type:
    """Return the type of a Python value. Raises TypeError for what has none."""
    match value:
        case bool() | np.bool_():
            return Type.BIT
        case int() | np.integer():
            return Type.BIGINT
        case float() | np.floating():
            return Type.FLOAT
        case str():
            return Type.TEXT
        case dict():
            return Type.RECORD
        case list() | tuple():
            return Type.ARRAY
        case _ if hasattr(value, "isoformat"):
            return Type.DATETIME
        case _:
            raise TypeError(f"a value of type {type(value).__name__} has no SQL type")


def revive(value: Any) -> Any:
    """Turn marked strings inside a Python value into datetimes."""
    match value:
        case str() if value.startswith(DATETIME_MARK):
            ticks = instants.parse_one(value[len(DATETIME_MARK) :])
            return value if ticks is None else instants.to_datetime(ticks)
        case dict():
            return dict(zip(value, map(revive, value.values()), strict=True))
        case list():
            return list(map(revive, value))
        case _:
            return value


def canonical(text: str) -> Any:
    """Return something hashable that is equal for JSON texts of equal values.

    The order of keys does not matter, 1 equals 1.0, true does not equal 1.
    """
    try:
        return _frozen(orjson.loads(text))
    except orjson.JSONDecodeError:  # an integer beyond 64 bits inside
        return _frozen(json.loads(text))


def _frozen(value: Any) -> Any:
    match value:
        case dict():
            return frozenset(zip(value, map(_frozen, value.values()), strict=True))
        case list():
            return tuple(map(_frozen, value))  # one frame a level: values are nested
        case bool():
            return ("bit", value)
        case _:
            return value
