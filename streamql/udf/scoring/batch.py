"""Rows on their way to a model: cut into requests without a look at their values.

The JSON texts of submitted rows are laid out once, each with a comma behind it. The rows of any
request, and of any half of it, are then slices of that text.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...text import offsets_of

Owner = TypeVar("Owner")


class Texts:
    """The JSON texts of submitted rows, as a request needs them."""

    def __init__(self, rows: pa.StringArray) -> None:
        rows = rows.cast(pa.string())
        if rows.null_count:
            rows = rows.fill_null("null")
        laid = pc.binary_join_element_wise(rows, "", ",")
        if isinstance(laid, pa.ChunkedArray):
            laid = laid.combine_chunks()
        self._data = memoryview(laid.buffers()[2] or b"") if len(laid) else memoryview(b"")
        self.offsets: NDArray[np.int64] = (
            offsets_of(laid).astype(np.int64) if len(laid) else np.zeros(1, np.int64)
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def between(self, start: int, stop: int) -> memoryview:
        """Return the texts of some rows, each followed by a comma."""
        return self._data[self.offsets[start] : self.offsets[stop]]

    def size(self, start: int, stop: int) -> int:
        """Return the bytes of some rows, commas included."""
        return int(self.offsets[stop] - self.offsets[start])

    def fitting(self, start: int, count: int, size: int) -> int:
        """Return where to stop, from `start` on, for at most so many rows and bytes."""
        stop = min(start + count, len(self))
        # the last comma is not sent
        limit = self.offsets[start] + size + 1
        return min(stop, int(np.searchsorted(self.offsets, limit, "right")) - 1)


@dataclass(frozen=True, slots=True)
class Part(Generic[Owner]):
    """Rows of a batch that were submitted together."""

    owner: Owner
    texts: Texts
    events: NDArray[np.int64]
    start: int
    stop: int


class Batch(Generic[Owner]):
    """The rows of one request."""

    def __init__(self, parts: list[Part[Owner]]) -> None:
        self.parts = parts
        self._starts = [0]
        for part in parts:
            self._starts.append(self._starts[-1] + part.stop - part.start)

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def size(self) -> int:
        """The bytes of the rows."""
        return sum(p.texts.size(p.start, p.stop) for p in self.parts)

    def rows(self, start: int, stop: int) -> list[memoryview]:
        """Return pieces that together are the rows, with a comma between each two."""
        pieces = []
        for part, (first, end) in zip(self.parts, pairwise(self._starts), strict=True):
            low, high = max(start, first), min(stop, end)
            if low < high:
                shift = part.start - first
                pieces.append(part.texts.between(low + shift, high + shift))
        pieces[-1] = pieces[-1][:-1]
        return pieces

    def text(self, row: int) -> str:
        """Return the JSON text of one row."""
        return bytes(self.rows(row, row + 1)[0]).decode()

    def event(self, row: int) -> int:
        """Return the event number of one row."""
        at = next(i for i, end in enumerate(self._starts[1:]) if row < end)
        part = self.parts[at]
        return int(part.events[part.start + row - self._starts[at]])
