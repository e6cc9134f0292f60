"""Which of many JSON rows is most like one, and in what it differs."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import orjson

_LOOKED_AT = 20_000
"""Rows that are compared at most: the last of a large file are as good as any."""
_NAMED = 3


def most_alike(row: Any, known: Sequence[bytes]) -> tuple[bytes, str]:
    """Return the text that is most like the row, and in what they differ ("" where it is all)."""
    some = known[-_LOOKED_AT:]
    near = max(some, key=lambda text: _likeness(row, orjson.loads(text)))
    return near, _difference(row, orjson.loads(near))


def _likeness(one: Any, other: Any) -> float:
    """Return how alike two values are, from 0 (nothing in common) to 1 (equal)."""
    match one, other:
        case bool(), _:
            return float(one is other) or 0.5 * isinstance(other, bool)
        case (int() | float(), int() | float()) if not isinstance(other, bool):
            if one == other:
                return 1.0 if type(one) is type(other) else 0.99
            return 0.9 * (1 - abs(one - other) / (abs(one) + abs(other)))
        case str(), str():
            # long texts are compared by their beginning
            return (
                1.0 if one == other else 0.9 * SequenceMatcher(None, one[:99], other[:99]).ratio()
            )
        case dict(), dict():
            names = one.keys() | other.keys()
            alike = sum(_likeness(one[n], other[n]) for n in one.keys() & other.keys())
            return (alike + 0.1 * (list(one) == list(other)) + 1) / (len(names) + 1.1)
        case list(), list():
            alike = sum(map(_likeness, one, other))
            return (alike + 1) / (max(len(one), len(other)) + 1)
        case _:
            return float(one == other)


def _difference(row: Any, near: Any) -> str:
    """Return what is different, e.g. `fare: 12.5 there, 13.0 here`."""
    match row, near:
        case dict(), dict():
            if row == near and list(row) != list(near):
                return f"the columns are {', '.join(near)} there, {', '.join(row)} here"
            names = [*near, *(name for name in row if name not in near)]
            pairs = [(name, near.get(name, ...), row.get(name, ...)) for name in names]
        case list(), list():
            most = max(len(row), len(near))
            both = [[*side, *[...] * (most - len(side))] for side in (near, row)]
            pairs = [(f"element {i + 1}", *two) for i, two in enumerate(zip(*both, strict=True))]
        case _:
            return ""
    different = [
        f"{name}: {_shown(there)} there, {_shown(here)} here"
        for name, there, here in pairs
        if not _same(there, here)
    ]
    more = len(different) - _NAMED
    return "; ".join(different[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _shown(value: Any) -> str:
    if value is ...:
        return "nothing"
    text = orjson.dumps(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}..."
