"""Cells: how the text of a row is put together from pieces without a loop over rows.

A row's text is a sequence of pieces, the same sequence for each row: constants (`,"fare":`), texts
that differ from row to row, and choices out of a small table. One Arrow `take` over all pieces laid
end to end writes the whole batch: its data buffer is the output. Numbers are choices out of a table
of four digits, which saves casting them to text; constants melt into the choices that follow them,
and the end of a row into the start of the next. Three columns cost 30 to 45 ns a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..text import bytes_of, offsets_of, valid
from ..types import Array

GROUP = 10_000
"""A table of numbers holds 0 to GROUP - 1: four digits."""

Index = NDArray[np.int32]


@dataclass
class Line:
    """The pieces of a row, collected cell by cell for a batch of `count` rows."""

    count: int
    _sources: list[Array] = field(default_factory=list)
    _starts: dict[int, int] = field(default_factory=dict)
    _size: int = 0
    _pieces: list[Index | int] = field(default_factory=list)
    _constant: str = ""

    def constant(self, text: str) -> None:
        """Add the same text to each row."""
        self._constant += text

    def texts(self, values: pa.StringArray, rows: Index | None = None) -> None:
        """Add one value per row (those at `rows` when given); NULL adds nothing."""
        self._settle()
        if rows is None:
            rows = np.arange(self.count, dtype=np.int32)
        self._pieces.append(rows + np.int32(self._add(values)))

    def choose(self, table: pa.StringArray, index: Index) -> None:
        """Add, per row, the entry `index` of a small table."""
        if self._constant:
            table = pc.binary_join_element_wise(self._constant, table, "")
            self._constant = ""
        self._pieces.append(index + np.int32(self._add(table)))

    def number(self, values: NDArray[np.int64], highest: int) -> None:
        """Add a number of 0 to `highest`, one or two groups of digits."""
        if highest < GROUP:
            self._digits(values.astype(np.int32), highest)
            return
        high, low = np.divmod(values, GROUP)
        short = high == 0
        self._digits(np.where(short, low, high).astype(np.int32), GROUP - 1)
        self.choose(_padded(), np.where(short, GROUP, low).astype(np.int32))

    def _digits(self, values: Index, highest: int) -> None:
        table = _numbers(self._constant)[: highest + 1]
        self._constant = ""
        self._pieces.append(values + np.int32(self._add(table)))

    def _settle(self) -> None:
        if self._constant:
            self._pieces.append(self._add(pa.array([self._constant])))
            self._constant = ""

    def _add(self, values: Array) -> int:
        """Lay an array behind the others and return where it starts."""
        start = self._starts.get(id(values))
        if start is None:
            start = self._starts[id(values)] = self._size
            self._sources.append(values)
            self._size += len(values)
        return start

    def size(self) -> int:
        """Return about how many bytes the texts have (tables, which are small, count as well)."""
        return sum(s.nbytes for s in self._sources)

    def join(self, before: str, between: str, after: str) -> pa.Buffer:
        """Return all rows as one text: before, row, between, row, ..., row, after."""
        tail = self._constant
        self._constant = ""
        # the end of a row and the start of the next are one piece, which opens every row; the first
        # row must not have it, and the last one gets its end from `last`
        opening = self._add(pa.array([tail + between]))
        first = self._add(pa.array([before]))
        last = self._add(pa.array([tail + after]))
        width = len(self._pieces) + 1
        index = np.empty(self.count * width + 1, np.int32)
        grid = index[:-1].reshape(self.count, width)
        grid[:, 0] = opening
        for place, piece in enumerate(self._pieces, 1):
            grid[:, place] = piece
        index[0] = first
        index[-1] = last
        flat = pa.concat_arrays(self._sources).take(pa.array(index))
        data = flat.buffers()[2]
        return data.slice(0, int(offsets_of(flat)[-1]))


@lru_cache(maxsize=64)
def _numbers(prefix: str) -> pa.StringArray:
    """Return prefix + "0" to prefix + "9999"."""
    return pa.array([f"{prefix}{i}" for i in range(GROUP)], pa.string())


@lru_cache(maxsize=1)
def _padded() -> pa.StringArray:
    """Return "0000" to "9999", and the empty text last."""
    return pa.array([*(f"{i:04}" for i in range(GROUP)), ""], pa.string())


@lru_cache(maxsize=1)
def _fractions() -> pa.StringArray:
    """Return the fraction texts of 0 to 9999 ten-thousandths: .0 .0001 ... .9999."""
    return pa.array(["." + (f"{i:04}".rstrip("0") or "0") for i in range(GROUP)], pa.string())


def add_integers(line: Line, values: Array) -> bool:
    """Add a column of integers that are not NULL out of tables; False when they do not suit."""
    raw = values.to_numpy()
    lowest, highest = int(raw.min()), int(raw.max())
    if lowest < 0 or highest >= GROUP * GROUP or min(highest, GROUP) > line.count:
        return False
    line.number(raw, highest)
    return True


def add_floats(line: Line, values: Array) -> bool:
    """Add a column of floats with at most four decimals; False when they do not suit.

    x / 10000 is correctly rounded, so that the text of up to twelve digits reads back as the value.
    """
    raw = values.to_numpy()
    if line.count < GROUP:
        return False
    scaled = np.rint(raw * GROUP)
    if bool(np.signbit(raw).any()) or not bool((scaled / GROUP == raw).all()):
        return False
    if not float(scaled.max()) < float(GROUP) ** 3:
        return False
    whole, fraction = np.divmod(scaled.astype(np.int64), GROUP)
    line.number(whole, int(whole.max()))
    line.choose(_fractions(), fraction.astype(np.int32))
    return True


def add_quoted(line: Line, values: pa.StringArray) -> None:
    """Add a column of texts as JSON strings, NULL as null."""
    rows = np.arange(line.count, dtype=np.int32)
    special = _rows_with_escapes(values)
    if len(special):
        escaped = [
            orjson.dumps(t).decode()[1:-1] for t in values.take(pa.array(special)).to_pylist()
        ]
        rows[special] = np.arange(line.count, line.count + len(special), dtype=np.int32)
        values = pa.concat_arrays([values, pa.array(escaped, pa.string())])
    if values.null_count == 0:
        line.constant('"')
        line.texts(values, rows)
        line.constant('"')
        return
    missing = (~valid(values)[: line.count]).astype(np.int32)
    line.choose(pa.array(['"', "null"]), missing)
    line.texts(values, rows)
    line.choose(pa.array(['"', ""]), missing)


def _rows_with_escapes(values: pa.StringArray) -> NDArray[np.int64]:
    """Return the rows whose text JSON must escape."""
    data = bytes_of(values)
    places = np.flatnonzero((data < 32) | (data == 34) | (data == 92))
    if len(places) == 0:
        return places
    offsets = offsets_of(values)
    # the last value that starts at or before the place; equal offsets are empty values
    rows = np.searchsorted(offsets, places + offsets[0], side="right") - 1
    found = np.unique(rows)
    return found[valid(values)[found]] if values.null_count else found


def add_plain(line: Line, texts: pa.StringArray, null: str) -> None:
    """Add a column of texts as they are, NULL as the text `null`."""
    if texts.null_count == 0:
        line.texts(texts)
        return
    rows = np.arange(line.count, dtype=np.int32)
    rows[~valid(texts)] = line.count
    line.texts(pa.concat_arrays([texts, pa.array([null], pa.string())]), rows)


def halves(count: int, columns: Sequence[Array]) -> bool:
    """Tell whether a batch is so large that its text may pass Arrow's 2 GB of a string array."""
    return count > 1 and sum(int(c.nbytes) for c in columns) > 200_000_000
