"""The states of Python aggregates as plain values, for snapshots: nothing is pickled."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from ...errors import FunctionError

_TAG = "$"


def pack(state: Any, name: str) -> str:
    """Return the attributes of a state as JSON text.

    They may be None, bool, int, float, str, datetime, and lists, tuples, sets and dicts of these.
    Raises FunctionError for others, with the attribute.
    """
    found: dict[str, Any] = {}
    for key, value in attributes(state).items():
        try:
            found[key] = _plain(value)
        except TypeError as error:
            raise FunctionError(
                f"{name}: the attribute {key} of its state holds {error}, which a snapshot cannot",
                hint="keep numbers, texts, datetimes, and lists, tuples, sets and dicts of these; "
                "or leave merge() out, and rows are kept instead of states",
            ) from None
    return json.dumps(found)


def unpack(state: Any, packed: str) -> None:
    """Give a state the attributes that `pack` returned, and no others."""
    found = json.loads(packed)
    for key in attributes(state):
        if key not in found:
            delattr(state, key)
    for key, value in found.items():
        setattr(state, key, _revived(value))


def attributes(state: Any) -> dict[str, Any]:
    """Return the attributes of an instance, those in `__slots__` included."""
    found: dict[str, Any] = {}
    for cls in type(state).__mro__:
        names = cls.__dict__.get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(state, name) and name not in ("__dict__", "__weakref__"):
                found[name] = getattr(state, name)
    return found | getattr(state, "__dict__", {})


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and not isinstance(value, str) and getattr(value, "shape", 1) == ():
        value = value.item()  # a number of numpy's
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return [_plain(one) for one in value]
    if kind in (tuple, set):
        return {_TAG: kind.__name__, "values": [_plain(one) for one in value]}
    if kind is dict:
        return {_TAG: "dict", "values": [[_plain(k), _plain(v)] for k, v in value.items()]}
    if kind is datetime:
        return {_TAG: "datetime", "values": value.isoformat()}
    raise TypeError(f"a value of type {kind.__name__}")


def _revived(value: Any) -> Any:
    if isinstance(value, list):
        return [_revived(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = value["values"]
    match value[_TAG]:
        case "tuple":
            return tuple(map(_revived, inner))
        case "set":
            return set(map(_revived, inner))
        case "dict":
            return {_revived(k): _revived(v) for k, v in inner}
        case _:
            return datetime.fromisoformat(inner)
