"""JSON out: one record per line, or all records as one array.

Keys come in the order of the columns, NULL is null, datetimes are ISO strings of seven digits, and
floats keep a fraction. What JSON cannot hold (NaN, infinity) is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from .. import instants
from ..column import Column
from ..text import unmark
from ..types import Type
from .cells import (
    Line,
    add_datetimes,
    add_floats,
    add_integers,
    add_plain,
    add_quoted,
    finite,
    halves,
    literal,
)

_FEW = 16
"""Below this many rows, fixed costs decide: values go through one `orjson` call each."""


def encode_lines(names: Sequence[str], columns: Sequence[Column]) -> pa.Buffer:
    """Return rows as JSON lines, each with its newline."""
    return _encode(names, columns, "", "\n", "\n")


def encode_records(texts: pa.StringArray) -> pa.Buffer:
    """Return records (JSON texts) as lines, each with its newline."""
    return _join(unmark(texts), "", "\n", "\n")


class JsonLinesEncoder:
    """One record per line (an `Encoder`)."""

    def columns(self, names: Sequence[str], columns: Sequence[Column]) -> pa.Buffer:
        return encode_lines(names, columns)

    def records(self, texts: pa.StringArray) -> pa.Buffer:
        return encode_records(texts)

    def end(self) -> bytes:
        return b""

    def state(self) -> dict[str, Any]:
        return {}

    def resume(self, state: Mapping[str, Any]) -> None:
        """No line depends on those before it."""


class JsonArrayEncoder:
    """All records as one array, one per line (an `Encoder`)."""

    def __init__(self) -> None:
        self._opened = False

    def columns(self, names: Sequence[str], columns: Sequence[Column]) -> pa.Buffer:
        if len(columns) and len(columns[0]) == 0:
            return pa.py_buffer(b"")
        return _encode(names, columns, self._before(), ",\n", "")

    def records(self, texts: pa.StringArray) -> pa.Buffer:
        if len(texts) == 0:
            return pa.py_buffer(b"")
        return _join(unmark(texts), self._before(), ",\n", "")

    def end(self) -> bytes:
        return b"\n]\n" if self._opened else b"[]\n"

    def state(self) -> dict[str, Any]:
        return {"opened": self._opened}

    def resume(self, state: Mapping[str, Any]) -> None:
        self._opened = state["opened"]

    def _before(self) -> str:
        before = ",\n" if self._opened else "[\n"
        self._opened = True
        return before


def _encode(
    names: Sequence[str], columns: Sequence[Column], before: str, between: str, after: str
) -> pa.Buffer:
    """Return rows as JSON objects between the given texts."""
    count = len(columns[0]) if columns else 0
    if count == 0:
        return pa.py_buffer(b"")
    if count < _FEW:
        return _encode_few(names, columns, before, between, after)
    if halves(count, [c.values for c in columns]):
        half = count // 2
        parts = [
            _encode(names, [c.slice(0, half) for c in columns], before, between, ""),
            _encode(names, [c.slice(half, count - half) for c in columns], between, between, after),
        ]
        return pa.py_buffer(b"".join(parts))
    line = Line(count, "}" + between + "{")
    comma = ""
    for name, column in zip(names, columns, strict=True):
        line.constant(comma + orjson.dumps(name).decode() + ":")
        _add(line, column)
        comma = ","
    return line.join(before + "{", "}" + after)


def _add(line: Line, column: Column) -> None:
    """Add a column's values to the line."""
    values = column.values
    match column.type:
        case Type.NULL:
            line.constant("null")
        case Type.BIGINT if values.null_count == 0 and add_integers(line, values):
            pass
        case Type.FLOAT if values.null_count == 0 and add_floats(line, values):
            pass
        case Type.DATETIME if values.null_count == 0 and add_datetimes(line, values, '"'):
            pass
        case Type.TEXT:
            add_quoted(line, values)
        case Type.BIT:
            choice = values.cast(pa.int32()).fill_null(2).to_numpy()
            line.choose(literal("false", "true", "null"), choice)
        case Type.DATETIME:
            add_quoted(line, instants.format_ticks(values))
        case _:
            add_plain(line, finite(column).to_json(marked=False), "null")


def _encode_few(
    names: Sequence[str], columns: Sequence[Column], before: str, between: str, after: str
) -> pa.Buffer:
    """Encode a handful of rows, value by value: a live row must not cost a dozen Arrow calls."""
    labels = [orjson.dumps(name).decode() + ":" for name in names]
    cells = [_few_texts(column) for column in columns]
    rows = [
        "{" + ",".join([label + text for label, text in zip(labels, row, strict=True)]) + "}"
        for row in zip(*cells, strict=True)
    ]
    return pa.py_buffer((before + between.join(rows) + after).encode())


def _few_texts(column: Column) -> list[str]:
    """Return the JSON text of each value, value by value where that is the cheaper way."""
    if column.type in (Type.BIGINT, Type.TEXT, Type.BIT, Type.NULL, Type.FLOAT):
        return [orjson.dumps(value).decode() for value in column.values.to_pylist()]
    texts = finite(column).to_json(marked=False).to_pylist()
    return ["null" if text is None else text for text in texts]


def _join(texts: pa.StringArray, before: str, between: str, after: str) -> pa.Buffer:
    """Return texts, each a record, between the given texts."""
    count = len(texts)
    if count == 0:
        return pa.py_buffer(b"")
    if halves(count, [texts]):
        half = count // 2
        parts = [
            _join(texts.slice(0, half), before, between, ""),
            _join(texts.slice(half), between, between, after),
        ]
        return pa.py_buffer(b"".join(parts))
    line = Line(count, between)
    add_plain(line, texts, "{}")
    return line.join(before, after)
