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

from ..column import Column
from ..instants import TICKS_PER_SECOND, format_ticks
from ..text import bytes_of, offsets_of, valid
from ..types import Array, Type

GROUP = 10_000
"""A table of numbers holds 0 to GROUP - 1: four digits."""

_MELT = 64
"""Up to this size, a constant melts into a table made anew for it."""

Index = NDArray[np.int32]


@dataclass
class Line:
    """The pieces of a row, collected cell by cell for a batch of `count` rows.

    Attributes:
        count: how many rows.
        between: the text between two rows; it is part of the first piece of each row.
    """

    count: int
    between: str
    _sources: list[Array] = field(default_factory=list)
    _starts: dict[int, int] = field(default_factory=dict)
    _size: int = 0
    _pieces: list[Index | int] = field(default_factory=list)
    _constant: str = ""

    def __post_init__(self) -> None:
        self._constant = self.between

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
        if self._constant and len(table) <= _MELT:
            table = pc.binary_join_element_wise(self._constant, table, "")
            self._constant = ""
        self._settle()
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
            self._pieces.append(self._add(literal(self._constant)))
            self._constant = ""

    def _add(self, values: Array) -> int:
        """Lay an array behind the others and return where it starts."""
        start = self._starts.get(id(values))
        if start is None:
            start = self._starts[id(values)] = self._size
            self._sources.append(values)
            self._size += len(values)
        return start

    def join(self, lead: str, after: str) -> pa.Buffer:
        """Return all rows as one text: lead, row, between, row, ..., row, after."""
        self._settle()
        last = self._add(literal(after))
        width = len(self._pieces)
        index = np.empty(self.count * width + 1, np.int32)
        grid = index[:-1].reshape(self.count, width)
        for place, piece in enumerate(self._pieces):
            grid[:, place] = piece
        index[-1] = last
        flat = pa.concat_arrays(self._sources).take(pa.array(index))
        data = flat.buffers()[2].slice(0, int(offsets_of(flat)[-1]))
        # every row starts with `between`; the first must start with `lead`
        if self.between.endswith(lead):
            return data.slice(len(self.between.encode()) - len(lead.encode()))
        rows = data.slice(len(self.between.encode()))
        return pa.py_buffer(b"".join([lead.encode(), memoryview(rows)]))


@lru_cache(maxsize=1024)
def literal(*texts: str) -> pa.StringArray:
    """Return texts as an array (kept: making one costs as much as writing a thousand cells)."""
    return pa.array(texts, pa.string())


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


@lru_cache(maxsize=1)
def _thousandths() -> pa.StringArray:
    """Return "000" to "999"."""
    return pa.array([f"{i:03}" for i in range(1000)], pa.string())


@lru_cache(maxsize=1)
def _seconds() -> pa.StringArray:
    """Return the minutes and seconds of an hour: "00:00" to "59:59"."""
    return pa.array([f"{i // 60:02}:{i % 60:02}" for i in range(3600)], pa.string())


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
    with np.errstate(over="ignore"):
        scaled = np.rint(raw * GROUP)
    if bool(np.signbit(raw).any()) or not bool((scaled / GROUP == raw).all()):
        return False
    if not float(scaled.max()) < float(GROUP) ** 3:
        return False
    whole, fraction = np.divmod(scaled.astype(np.int64), GROUP)
    line.number(whole, int(whole.max()))
    line.choose(_fractions(), fraction.astype(np.int32))
    return True


def add_datetimes(line: Line, values: Array, quote: str) -> bool:
    """Add a column of datetimes that are not NULL; False when they do not suit.

    The pieces are the hour (few of them in a batch), minute and second, and the fraction.
    """
    raw = values.to_numpy()
    if line.count < GROUP:
        return False
    hours, rest = np.divmod(raw, 3600 * TICKS_PER_SECOND)
    first, last = int(hours.min()), int(hours.max())
    if last - first > line.count // 4:
        return False
    starts = pa.array(np.arange(first, last + 1) * (3600 * TICKS_PER_SECOND))
    line.constant(quote)
    line.choose(pc.utf8_slice_codeunits(format_ticks(starts), 0, 14), (hours - first).astype("i4"))
    seconds, fraction = np.divmod(rest, TICKS_PER_SECOND)
    line.choose(_seconds(), seconds.astype(np.int32))
    if not fraction.any():
        line.constant(".0000000Z" + quote)
        return True
    high, low = np.divmod(fraction, 1000)
    line.constant(".")
    line.choose(_padded(), high.astype(np.int32))
    if not low.any():
        line.constant("000Z" + quote)
        return True
    line.choose(_thousandths(), low.astype(np.int32))
    line.constant("Z" + quote)
    return True


def add_quoted(line: Line, values: pa.StringArray) -> None:
    """Add a column of texts as JSON strings, NULL as null."""
    data = bytes_of(values)
    special = rows_at(values, np.flatnonzero((data < 32) | (data == 34) | (data == 92)))
    texts = values.take(pa.array(special)).to_pylist() if len(special) else []
    values, rows = replaced(values, special, [orjson.dumps(t).decode()[1:-1] for t in texts])
    if values.null_count == 0:
        line.constant('"')
        line.texts(values, rows)
        line.constant('"')
        return
    missing = (~valid(values)[: line.count]).astype(np.int32)
    line.choose(literal('"', "null"), missing)
    line.texts(values, rows)
    line.choose(literal('"', ""), missing)


def rows_at(values: pa.StringArray, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows whose values hold the bytes at these places of `bytes_of(values)`."""
    if len(places) == 0:
        return places
    offsets = offsets_of(values)
    # the last value that starts at or before the place; equal offsets are empty values
    found = np.unique(np.searchsorted(offsets, places + offsets[0], side="right") - 1)
    return found[valid(values)[found]] if values.null_count else found


def replaced(
    values: pa.StringArray, rows: NDArray[np.int64], texts: list[str]
) -> tuple[pa.StringArray, Index]:
    """Return values with new texts laid behind them, and the index that puts these into `rows`."""
    count = len(values)
    index = np.arange(count, dtype=np.int32)
    if len(rows):
        index[rows] = np.arange(count, count + len(rows), dtype=np.int32)
        values = pa.concat_arrays([values, pa.array(texts, pa.string())])
    return values, index


def finite(column: Column) -> Column:
    """Return a column without NaN and infinity, which become NULL."""
    if column.type not in (Type.FLOAT, Type.NUMBER):
        return column
    good = np.isfinite(column.values.fill_null(0.0).to_numpy())
    if good.all():
        return column
    values = pc.if_else(pa.array(good), column.values, pa.scalar(None, pa.float64()))
    return Column(column.type, values, column.integers)


def add_plain(line: Line, texts: pa.StringArray, null: str) -> None:
    """Add a column of texts as they are, NULL as the text `null`."""
    if texts.null_count == 0:
        line.texts(texts)
        return
    rows = np.arange(line.count, dtype=np.int32)
    rows[~valid(texts)] = line.count
    line.texts(pa.concat_arrays([texts, literal(null)]), rows)


def halves(count: int, columns: Sequence[Array]) -> bool:
    """Tell whether a batch is so large that its text may pass Arrow's 2 GB of a string array."""
    return count > 1 and sum(int(c.nbytes) for c in columns) > 200_000_000
