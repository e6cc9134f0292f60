"""CSV in: blocks of bytes to text columns.

All fields are nvarchar(max), conversions happen on use (values.md). An empty field without
quotes is NULL and `""` is the empty text, which is also what CSV out writes; a CAST of a missing
number then gives NULL instead of failing the job. The first record names the columns (they must
differ; an empty name becomes column1, column2, ... by its place), or with `header=False` all do.
A record with another number of fields, or whose text is not UTF-8, is one bad event. Blank lines
are no events.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from ..column import Column
from ..errors import InputError
from ..rows import ColumnRows
from ..text import mask_of
from ..types import DATETIME_MARK, Type
from .decoded import SAMPLE_BYTES, BadEvent, Decoded, Place
from .json_layout import Broken
from .records import RecordCutter

_BOM = b"\xef\xbb\xbf"
_BROKEN = re.compile("[\udc80-\udcff]")
_MARK = DATETIME_MARK.encode()
_REPLACEMENT = "\ufffd".encode()
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class TextRows(ColumnRows):
    """Rows of CSV: a value of any type is a text there, and only its reader knows which."""

    textual = True

    def take(self, rows: NDArray[np.int64]) -> TextRows:
        taken = super().take(rows)
        return TextRows(taken.columns, taken.count, taken.absent)


class CsvDecoder:
    """Decodes CSV (a `Decoder`).

    Args:
        delimiter: one of `DELIMITERS`.
        header: the first record names the columns.
        event_bytes: a longer event is bad, and is not held in memory.
    """

    def __init__(
        self, *, delimiter: str = ",", header: bool = True, event_bytes: int = 64 << 20
    ) -> None:
        self._delimiter = delimiter
        self._header = header
        self._names: list[str] | None = None
        self._cutter = RecordCutter(delimiter, event_bytes)
        self._head = b""
        self._started = False
        self._events = 0
        self._lines = 0
        self._fed = 0
        self._lost = False  # how many lines a broken record has is not known

    def place(self) -> Place | None:
        if self._names is None:
            return {"bytes": 0, "lines": 0}
        done = self._fed - self._cutter.pending
        place = {"bytes": done, "lines": self._lines, "columns": self._names}
        return place | ({"lost": self._cutter.skipping} if self._lost else {})

    def resume(self, place: Place) -> None:
        self._started, self._names = True, list(place["columns"])
        self._fed, self._lines = place["bytes"], place["lines"]
        self._lost, self._cutter.skipping = "lost" in place, place.get("lost", False)

    def feed(self, data: bytes) -> list[Decoded]:
        self._fed += len(data)
        if not self._started:
            data = self._head + data
            if len(data) < len(_BOM):
                self._head = data
                return []
            data = self._start(data)
        found = []
        for piece in self._cutter.feed(data):
            found += self._broken(piece) if isinstance(piece, Broken) else self._decode(piece)
        return found

    def _broken(self, record: Broken) -> list[Decoded]:
        """Return a record that is too long as the bad event it is."""
        if self._names is None:
            raise InputError(f"the CSV header is {record.reason}")
        self._events += 1
        self._lost = True
        bad = BadEvent(self._events, record.reason, record.text)
        return [Decoded(TextRows({}, 0), np.empty(0, np.int64), (bad,))]

    def finish(self) -> list[Decoded]:
        block = self._cutter.finish()
        return self._decode(block if self._started else self._start(self._head))

    def _start(self, data: bytes) -> bytes:
        self._started = True
        if data.startswith(_UTF16):
            raise InputError("the text is UTF-16", hint="convert it to UTF-8, which is read")
        return data.removeprefix(_BOM)

    def _decode(self, block: bytes) -> list[Decoded]:
        if self._names is None:
            block = self._name_columns(block)
        if not block.strip(b"\r\n") or self._names is None:
            self._lines += block.count(b"\n")
            return []
        block, mark = _repaired(block)
        ragged: list[pacsv.InvalidRow] = []
        table = _parse(block, self._names, self._delimiter, ragged)
        count = table.num_rows + len(ragged)
        numbers = np.ones(count, bool)
        numbers[[row.number - 1 for row in ragged]] = False
        events = np.flatnonzero(numbers) + self._events + 1
        bad = self._ragged(block, ragged, mark)
        arrays = [chunks.combine_chunks() for chunks in table.columns]
        columns = [Column(Type.TEXT, array) for array in arrays]
        rows = TextRows(dict(zip(self._names, columns, strict=True)), table.num_rows)
        if mark:
            wrong = np.any([mask_of(pc.match_substring(array, mark)) for array in arrays], axis=0)
            for row in np.flatnonzero(wrong).tolist():
                fields = self._delimiter.join([array[row].as_py() or "" for array in arrays])
                sample = _sample(fields, mark)
                bad.append(BadEvent(int(events[row]), "the text is not UTF-8", sample))
            bad.sort(key=lambda b: b.event)
            rows, events = rows.take(np.flatnonzero(~wrong)), events[~wrong]
        self._events += count
        self._lines += block.count(b"\n")
        return [Decoded(rows, events, tuple(bad))]

    def _name_columns(self, block: bytes) -> bytes:
        """Take the names from the first record, and return the rest of the block."""
        first = block.lstrip(b"\r\n")
        if not first:
            return block
        self._lines += block.count(b"\n", 0, len(block) - len(first))
        end = RecordCutter(self._delimiter).first(first)
        if _repaired(first[:end])[1]:
            raise InputError("the CSV header is not UTF-8", hint="convert the file to UTF-8")
        fields = _fields(first[:end], self._delimiter)
        if not self._header:
            self._names = [f"column{i}" for i in range(1, len(fields) + 1)]
            return first
        names = [name or f"column{i}" for i, name in enumerate(fields, 1)]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"two columns of the CSV header are named {name!r}",
                    hint="rename one, or read with ?header=false as column1, column2, ...",
                )
        self._names = names
        self._lines += first.count(b"\n", 0, end)
        return first[end:]

    def _ragged(self, block: bytes, rows: list[pacsv.InvalidRow], mark: str) -> list[BadEvent]:
        """Return the bad events of records with too few or too many fields (rare: one by one)."""
        found = []
        place = 0
        for row in rows:
            alone = re.compile(rb"(?<![^\r\n])" + re.escape(row.text.encode()) + rb"(?![^\r\n])")
            match = alone.search(block, place)
            line = None
            if match is not None and not self._lost:
                place = match.end()
                line = self._lines + block.count(b"\n", 0, match.start()) + 1
            reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
            if not self._header:
                reason = f"{row.actual_columns} fields instead of {row.expected_columns}"
            found.append(BadEvent(self._events + row.number, reason, _sample(row.text, mark), line))
        return found


def _sample(text: str, mark: str) -> bytes:
    """Return the start of a bad event, as it can be shown."""
    return (text.replace(mark, "\ufffd") if mark else text).encode()[:SAMPLE_BYTES]


def _repaired(block: bytes) -> tuple[bytes, str]:
    """Return a block in valid UTF-8, and the mark put for each byte that was not ("" for none).

    The parser cannot report a bad record whose text is no UTF-8, so it must not see one.
    """
    if block.isascii():
        return block, ""
    block = block.replace(_MARK, _REPLACEMENT)
    try:
        block.decode()
    except UnicodeDecodeError:
        text = block.decode(errors="surrogateescape")
        # noncharacters: no text means them; take one that this block does not hold
        mark = next((c for c in map(chr, range(0xFDD1, 0xFDF0)) if c not in text), "\ufdd1")
        return _BROKEN.sub(mark, text).encode(), mark
    return block, ""


def _parse(
    block: bytes, names: list[str], delimiter: str, ragged: list[pacsv.InvalidRow]
) -> pa.Table:
    """Parse whole records to text columns; records of another width go to `ragged`."""

    def skip(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    keys = [str(i) for i in range(len(names))]
    return pacsv.read_csv(
        pa.BufferReader(block),
        read_options=pacsv.ReadOptions(
            use_threads=False,  # only then are bad rows numbered
            column_names=keys,
            block_size=len(block) + 1,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(keys, pa.string()),
            check_utf8=False,  # `_repaired` has done it
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _fields(record: bytes, delimiter: str) -> list[str]:
    """Return the fields of one record, the empty text for an empty one."""
    ragged: list[pacsv.InvalidRow] = []
    width = 1 + record.count(delimiter.encode())
    table = _parse(record, [""] * width, delimiter, ragged)
    if ragged:  # there are delimiters between quotes: the parser says how many fields there are
        table = _parse(record, [""] * ragged[0].actual_columns, delimiter, [])
    return [column[0].as_py() or "" for column in table.columns]
