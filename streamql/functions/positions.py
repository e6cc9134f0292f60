"""Positions in texts, counted in UTF-16 units as .NET counts them, over a whole column at once.

A character outside of the Basic Multilingual Plane is two units. A cut between the two leaves the
character out: half of it would be no text.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..text import bytes_of, offsets_of, slices

Integers = NDArray[np.int64]


def is_ascii(texts: pa.StringArray) -> bool:
    """Tell whether all characters are ASCII."""
    data = bytes_of(texts)
    return len(data) == 0 or int(data.max()) < 128


def has_pairs(texts: pa.StringArray) -> bool:
    """Tell whether some character is two UTF-16 units."""
    data = bytes_of(texts)
    return len(data) > 0 and int(data.max()) >= 0xF0


class Positions:
    """The units of each text of a column; NULL counts as empty.

    Attributes:
        lengths: the units of each text.
    """

    def __init__(self, texts: pa.StringArray) -> None:
        self._texts = texts
        offsets = offsets_of(texts).astype(np.int64)
        self._base = int(offsets[0]) if len(offsets) else 0
        self._offsets = offsets - self._base
        data = bytes_of(texts)
        self._starts: Integers | None = None  # the byte where a slice from this unit on starts
        self._ends: Integers | None = None  # the byte where a slice up to this unit ends
        if len(data) == 0 or int(data.max()) < 128:
            self._unit_offsets = self._offsets
        else:
            # one unit per first byte of a character, two for a character of four bytes
            units = ((data & 0xC0) != 0x80).view(np.uint8)
            paired = int(data.max()) >= 0xF0
            if paired:
                units = units + (data >= 0xF0)
            total = np.zeros(len(data) + 1, np.int32)
            np.cumsum(units, dtype=np.int32, out=total[1:])
            self._unit_offsets = total[self._offsets].astype(np.int64)
            places = np.flatnonzero(units)
            if paired:
                places = np.repeat(places, units[places])
            self._starts = self._ends = np.append(places, len(data))
            if paired:
                self._starts = self._ends.copy()
                self._starts[np.flatnonzero(np.diff(places, prepend=-1) == 0)] += 4
            self._unit_of_byte = total
        self.lengths: Integers = np.diff(self._unit_offsets)

    def cut(self, starts: Integers | int, ends: Integers | int) -> pa.StringArray:
        """Return the units starts[i] to ends[i] (0-based, end excluded) of each text.

        Places outside of the text are moved to its start or end. NULL texts stay NULL.
        """
        first = np.clip(starts, 0, self.lengths)
        last = np.clip(ends, first, self.lengths)
        first = first + self._unit_offsets[:-1]
        last = last + self._unit_offsets[:-1]
        if self._starts is not None and self._ends is not None:
            # the end of one text is the start of the next: cut it as an end, never as a start
            first, last = self._starts[first], self._ends[last]
            last = np.maximum(first, last)
        buffer = self._texts.buffers()[2]
        if buffer is None:
            return self._texts
        found = slices(buffer, first + self._base, last + self._base)
        if self._texts.null_count:
            return pc.if_else(self._texts.is_valid(), found, pa.scalar(None, pa.string()))
        return found

    def units_before(self, places: Integers) -> Integers:
        """Return how many units of its text lie before each byte place (relative to the text)."""
        if self._starts is None:
            return places
        at: Integers = self._unit_of_byte[self._offsets[:-1] + places] - self._unit_offsets[:-1]
        return at
