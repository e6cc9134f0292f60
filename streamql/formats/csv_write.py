"""CSV out: a header, then one line per row, quoted as RFC 4180 says where it is needed.

NULL is an empty field and the empty text is `""`, so that CSV in reads both back (in a file of one
column NULL is `""` as well, because a blank line is no event). Records and arrays are the words
Record and Array (values.md); lines end with a line feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from .. import instants
from ..column import Column, combine, nulls
from ..errors import OutputError
from ..text import bytes_of, offsets_of
from ..types import Type
from .cells import (
    Line,
    add_datetimes,
    add_floats,
    add_integers,
    add_plain,
    finite,
    halves,
    literal,
    replaced,
    rows_at,
)
from .expand import columns_of_records


class CsvEncoder:
    """CSV (an `Encoder`). The first rows decide the header; later rows must fit it."""

    def __init__(self, *, delimiter: str = ",", header: bool = True) -> None:
        self._delimiter = delimiter
        self._header = header
        self._names: list[str] | None = None
        self._special = np.zeros(256, bool)
        for byte in b'"\r\n' + delimiter.encode():
            self._special[byte] = True

    def columns(self, names: Sequence[str], columns: Sequence[Column]) -> pa.Buffer:
        if not columns or len(columns[0]) == 0:
            return pa.py_buffer(b"")
        before = ""
        if self._names is None:
            self._names = list(names)
            if self._header:
                before = self._delimiter.join(self._field(name) for name in names) + "\n"
        elif self._names != list(names):
            columns = self._fit(names, columns)
        return self._encode(columns, before)

    def records(self, texts: pa.StringArray) -> pa.Buffer:
        return self.columns(*columns_of_records(texts))

    def end(self) -> bytes:
        return b""

    def state(self) -> dict[str, Any]:
        return {"names": self._names}

    def resume(self, state: Mapping[str, Any]) -> None:
        self._names = state["names"]

    def _fit(self, names: Sequence[str], columns: Sequence[Column]) -> list[Column]:
        """Return the columns in the order of the header, NULL for those that are missing."""
        known = self._names or []
        given = dict(zip(names, columns, strict=True))
        extra = [name for name in given if name not in known]
        if extra:
            raise OutputError(
                f"column {extra[0]!r} is not in the CSV header, which the first rows decided",
                hint="select the columns by name, or write JSON lines",
            )
        count = len(columns[0])
        return [given[name] if name in given else nulls(count) for name in known]

    def _field(self, text: str) -> str:
        """Return one text as a field."""
        if text and not self._special[np.frombuffer(text.encode(), np.uint8)].any():
            return text
        return '"' + text.replace('"', '""') + '"'

    def _encode(self, columns: Sequence[Column], before: str) -> pa.Buffer:
        count = len(columns[0])
        if halves(count, [c.values for c in columns]):
            half = count // 2
            parts = [
                self._encode([c.slice(0, half) for c in columns], before),
                self._encode([c.slice(half, count - half) for c in columns], ""),
            ]
            return pa.py_buffer(b"".join(parts))
        line = Line(count, "\n")
        null = '""' if len(columns) == 1 else ""
        for place, column in enumerate(columns):
            if place:
                line.constant(self._delimiter)
            self._add(line, column, null)
        return line.join(before, "\n")

    def _add(self, line: Line, column: Column, null: str) -> None:
        """Add a column's values to the line."""
        values = column.values
        match column.type:
            case Type.NULL:
                line.constant(null)
            case Type.BIGINT if values.null_count == 0 and add_integers(line, values):
                pass
            case Type.FLOAT if values.null_count == 0 and add_floats(line, values):
                pass
            case Type.DATETIME if values.null_count == 0 and add_datetimes(line, values, ""):
                pass
            case Type.BIGINT | Type.FLOAT | Type.NUMBER | Type.BIT:
                add_plain(line, finite(column).to_json(), null)
            case Type.RECORD | Type.ARRAY:
                word = column.type.value.capitalize()
                line.choose(literal(word, null), (~column.valid()).astype(np.int32))
            case _:
                self._add_texts(line, _texts(column), null)

    def _add_texts(self, line: Line, values: pa.StringArray, null: str) -> None:
        special = rows_at(values, np.flatnonzero(self._special[bytes_of(values)]))
        empty = np.flatnonzero((np.diff(offsets_of(values)) == 0) & np.asarray(values.is_valid()))
        if len(empty):
            special = np.union1d(special, empty)
        texts = values.take(pa.array(special)).to_pylist() if len(special) else []
        values, rows = replaced(values, special, [self._field(text) for text in texts])
        missing = np.flatnonzero(np.asarray(values.is_null())[: line.count])
        if null and len(missing):
            rows[missing] = len(values)
            values = pa.concat_arrays([values, literal(null)])
        line.texts(values, rows)


def _texts(column: Column) -> pa.StringArray:
    """Return the values of a datetime, text or mixed column as texts; NULL stays."""
    if column.type is Type.TEXT:
        return column.values
    if column.type is Type.DATETIME:
        return instants.format_ticks(column.values)
    pieces = []
    for rows, part in column.parts():
        if part.type in (Type.RECORD, Type.ARRAY):
            word = pa.scalar(part.type.value.capitalize(), pa.string())
            texts = pa.repeat(word, len(part))
        elif part.type in (Type.TEXT, Type.DATETIME):
            texts = _texts(part)
        else:
            texts = part.to_json()
        pieces.append((rows, Column(Type.TEXT, texts)))
    return combine(len(column), pieces).values
