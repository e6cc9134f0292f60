"""JSON events read one by one: what fits no template, and blocks of a few lines.

Sequential by nature: each line goes through the parser on its own (1 to 2 µs).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ..column import Column, from_values
from ..rows import Rows, find
from ..text import from_bytes
from ..types import Type
from .json_legal import MAX_DEPTH, misfit

BLANKS = b" \t\r\n"

_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_SKIPPED = re.compile(rb'[^"{}\[\]]+|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)

Event = tuple[bytes, dict[str, Any]] | tuple[bytes, str]


def read_line(line: bytes, max_depth: int = MAX_DEPTH) -> list[Event]:
    """Return the events of a line: its text with the object, or with what is wrong with it.

    One nested deeper than `max_depth` is wrong. A blank line has none; a line of several objects,
    one behind the other, has several.
    """
    text = line.strip(BLANKS)
    if not text:
        return []
    try:
        return [(text, _checked(text, orjson.loads(text), max_depth))]
    except orjson.JSONDecodeError as error:
        place = _place(text, error)
        if place is not None and text[place : place + 1] == b"{":
            pieces = _objects(text)
            if len(pieces) > 1:
                return [event for piece in pieces for event in read_line(piece, max_depth)]
        shift = len(line) - len(line.lstrip(BLANKS))
        return [(text, _reason(text, error, shift))]


def _checked(text: bytes, value: Any, max_depth: int) -> Any:
    """Return the parsed value of an event, or what is wrong with it."""
    if not isinstance(value, dict):
        return f"expected an object, found {_KINDS[type(value)]}"
    return misfit(text, max_depth) or value


def _place(text: bytes, error: orjson.JSONDecodeError) -> int | None:
    """Return the byte at which the parser stopped; None in a text that is not UTF-8."""
    try:
        return len(text.decode()[: error.pos].encode())
    except UnicodeDecodeError:
        return None


def _reason(text: bytes, error: orjson.JSONDecodeError, shift: int) -> str:
    try:
        text.decode()
    except UnicodeDecodeError as wrong:
        return f"not valid UTF-8 (byte {wrong.start + shift + 1} of the line)"
    return (
        f"not valid JSON: {error.msg} (byte {(_place(text, error) or 0) + shift + 1} of the line)"
    )


def _objects(text: bytes) -> list[bytes]:
    """Split objects that follow one another; what is left over is a piece of its own.

    Returns no piece when something that is no object follows an object.
    """
    pieces = []
    start = at = depth = 0
    while at < len(text):
        skipped = _SKIPPED.match(text, at)
        if skipped is not None:
            between = depth == 0 and skipped[0].strip(BLANKS)
            if between:
                return []
            at = skipped.end()
            continue
        char = text[at : at + 1]
        at += 1
        if char in b"{[":
            if depth == 0 and char == b"[":
                return []
            depth += 1
        elif char in b"}]":
            depth -= 1
            if depth < 0:
                return []
            if depth == 0:
                pieces.append(text[start:at])
                start = at
        else:  # a quote that is never closed
            break
    if text[start:].strip(BLANKS):
        pieces.append(text[start:])
    return pieces


class ParsedRows(Rows):
    """Events with their texts and their parsed values."""

    def __init__(self, texts: Sequence[bytes], values: Sequence[dict[str, Any]]) -> None:
        self._texts = texts
        self._values = values
        self._cache: dict[tuple[str, ...], Column] = {}

    def __len__(self) -> int:
        return len(self._values)

    def field(self, path: tuple[str, ...]) -> Column:
        if path not in self._cache:
            self._cache[path] = self._decode(path) if path else self.record()
        return self._cache[path]

    def record(self) -> Column:
        ends = np.cumsum([len(text) for text in self._texts], dtype=np.int64)
        return Column(Type.RECORD, from_bytes(b"".join(self._texts), ends))

    def _decode(self, path: tuple[str, ...]) -> Column:
        values: list[Any] = list(self._values)
        for name in path:
            values = [_member(value, name) for value in values]
        return from_values(values)

    def take(self, rows: NDArray[np.int64]) -> ParsedRows:
        chosen = rows.tolist()
        return ParsedRows([self._texts[i] for i in chosen], [self._values[i] for i in chosen])


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    known = find(name, value)
    return None if known is None else value[known]
