"""How the rows of ranges are laid out for V8: which rows, how many in a call, in which form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...column import Column
from ...errors import FunctionError
from ...grouping.ranges import Ranges
from ...text import bytes_of, offsets_of
from ...types import DATETIME_MARK, JSON_TYPES, Type
from .transport import Argument, encode

Ints = NDArray[np.int64]

MOST_ROWS = 131_072
_MOST_BYTES = 64 * 1024 * 1024


def refuse_long(columns: Sequence[Column], most: int, name: str) -> None:
    """Raise FunctionError where a text, or a record as JSON, has more than `most` bytes."""
    for place, column in enumerate(columns, 1):
        if column.type is not Type.TEXT and column.type not in JSON_TYPES:
            continue
        offsets = offsets_of(column.values)
        if offsets[-1] - offsets[0] <= most:
            continue
        sizes = np.diff(offsets)
        row = int(np.argmax(sizes > most))
        if sizes[row] > most:
            raise FunctionError(
                f"{name}: argument {place} has {sizes[row]:,} bytes, more than the {most:,} that "
                "are handed to JavaScript",
                hint="the setting js_max_text allows longer texts and records",
                row=row,
            )


class Limit:
    """How many rows from a given one on fit into a call."""

    def __init__(self, column: Column) -> None:
        texts = column.type is Type.TEXT or column.type in JSON_TYPES
        self._offsets = offsets_of(column.values) if texts and not column.constant else None
        self._count = len(column)

    def after(self, start: int) -> int:
        """Return the row after the last one that fits with `start`; at least one fits."""
        end = min(start + MOST_ROWS, self._count)
        if self._offsets is not None:
            most = int(self._offsets[start]) + _MOST_BYTES
            end = min(end, int(np.searchsorted(self._offsets, most, "right")) - 1)
        return max(end, start + 1)


def covered(ranges: Ranges, count: int) -> tuple[Ints, Ranges]:
    """Return the rows that are in some range, and the ranges as places among them."""
    filled = ranges.lengths > 0
    starts, ends = np.where(filled, ranges.starts, 0), np.where(filled, ranges.ends, 0)
    depth = np.bincount(starts, minlength=count + 1) - np.bincount(ends, minlength=count + 1)
    inside = np.cumsum(depth)[:count] > 0
    rows = np.flatnonzero(inside)
    places = np.zeros(count + 1, np.int64)
    np.cumsum(inside, out=places[1:])
    return rows, Ranges(places[starts], places[ends])


def steps_of(ranges: Ranges, slides: bool) -> Ints:
    """Return how many calls of user code all ranges up to each one take, if all goes well."""
    steps = ranges.lengths
    if slides:
        moved = np.diff(ranges.starts) + np.abs(np.diff(ranges.ends))
        steps = np.append(steps[:1], np.minimum(steps[1:], moved))
    return np.append(0, np.cumsum(steps))


def encoded(column: Column, bits_as_numbers: bool) -> Argument:
    """Return the values in the form in which they travel; JSON is parsed value by value."""
    if column.type not in JSON_TYPES or column.values.null_count == len(column):
        return encode(column, bits_as_numbers)
    dates = "dates" if DATETIME_MARK.encode() in bytes_of(column.values).tobytes() else ""
    bits = "bits" if bits_as_numbers and column.type is Type.ANY else ""
    return replace(encode(Column(Type.TEXT, column.values), False), kind=f"json{dates}{bits}")
