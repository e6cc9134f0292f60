"""Values out of JSON text columns: the fields of records."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .column import Column, nulls
from .python_values import dump
from .text import first_bytes, loads
from .types import JSON_TYPES, Type

_MISSING = object()


def extract(column: Column, path: tuple[str, ...]) -> Column:
    """Return the values at `path` inside the records of a column.

    Names match exactly first, else the first that matches ignoring case. What is not there is
    NULL: a missing field, a path through NULL, a scalar or an array.
    """
    count = len(column)
    if not path:
        return column
    if column.type not in JSON_TYPES or column.type is Type.ARRAY:
        return nulls(count)
    rows = np.flatnonzero(first_bytes(column.values) == ord("{"))
    if len(rows) == 0:
        return nulls(count)
    # Sequential: records of free shape are parsed one call per batch, then walked in Python
    # (about 1 million rows/s a path step); templated inputs never come here (formats/json).
    found: list[str | None] = [None] * count
    for row, value in zip(rows, loads(column.values.take(pa.array(rows))), strict=True):
        inner = _walk(value, path)
        if inner is not _MISSING and inner is not None:
            found[row] = dump(inner)
    return Column(Type.ANY, pa.array(found, pa.string())).normal()


def _walk(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, dict):
            return _MISSING
        if name in value:
            value = value[name]
            continue
        lowered = name.lower()
        for key, inner in value.items():
            if key.lower() == lowered:
                value = inner
                break
        else:
            return _MISSING
    return value
