"""Functions that only pack their arguments: they are known by their text, and need no V8.

    function createArray(a, b) { 'use strict'; var array = [a, b]; return array; }
    const row = (fare, zone) => ({ fare, area: zone });

What such a function returns is told by the language: a literal of plain names looks nothing up that
other code could have changed. A file must hold this one function and nothing else beside comments;
everything else, and every value that JSON.stringify writes in a way of its own, goes to V8.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...column import Column
from ...packed import PackedColumn
from ...rows import interleave, objects
from ...types import Type
from .number_texts import array_texts, number_texts

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)
    | (?P<name>(?:[^\W\d]|\$)[\w$]*)
    | (?P<text>'[^'"\\\n\r\u2028\u2029]*'|"[^'"\\\n\r\u2028\u2029]*")
    | (?P<mark>=>|[()\[\]{},;:=])
    """,
    re.VERBOSE | re.DOTALL,
)
_LINE_END = re.compile(r"[\n\r\u2028\u2029]")
_KEY = re.compile(r"[^\W\d][\w $.-]*", re.ASCII)
_NAME = re.compile(r"(?:[^\W\d]|\$)[\w$]*")
_DECLARE = ("const", "let", "var")
_STRICT = ("'use strict'", '"use strict"')
_END = ""
_EXACT = 2**53
"""Integers up to here are the same as Number."""


@dataclass(frozen=True, slots=True)
class Packing:
    """What a packing function returns.

    Attributes:
        places: which argument stands at each place.
        names: the names of a record's fields; None for an array.
    """

    places: tuple[int, ...]
    names: tuple[str, ...] | None

    def column(self, columns: Sequence[Column], bits_as_numbers: bool) -> PackedColumn | None:
        """Return what the function returns for these arguments; None to ask V8."""
        elements = []
        for column in [columns[place] for place in self.places]:
            element = _element(column, bits_as_numbers)
            if element is None:
                return None
            elements.append(element)
        if all(element.constant for element in elements):
            return None
        return PackedColumn(elements, self.names, self._write)

    def _write(self, elements: Sequence[Column]) -> pa.StringArray:
        count = len(elements[0])
        floats = all(e.type is Type.FLOAT and e.values.null_count == 0 for e in elements)
        if self.names is None and floats:
            return array_texts([np.asarray(element.values) for element in elements])
        texts = [_texts(element) for element in elements]
        if self.names is not None:
            return objects(self.names, texts, count)
        if count == 0:
            return pa.array([], pa.string())
        return interleave([""] * len(texts), texts, "[", ",", "]")


def _element(column: Column, bits_as_numbers: bool) -> Column | None:
    """Return a value as JavaScript has it; None where that takes more than a look at its type."""
    values = column.values
    match column.type:
        case Type.NULL | Type.TEXT | Type.FLOAT:
            return column
        case Type.NUMBER:
            return Column(Type.FLOAT, values, None, column.constant)
        case Type.BIT if bits_as_numbers:
            return Column(Type.BIGINT, values.cast(pa.int64()), None, column.constant)
        case Type.BIT:
            return column
        case Type.BIGINT:
            ends = pc.min_max(values).as_py()
            if (ends["min"] or 0) >= -_EXACT and (ends["max"] or 0) <= _EXACT:
                return column
            # as Number has it, which is another number
            return Column(Type.FLOAT, values.cast(pa.float64(), safe=False), None, column.constant)
        case _:
            return None


def _texts(element: Column) -> pa.StringArray:
    """Return the JSON text of each value, null for NULL."""
    if element.type is not Type.FLOAT:
        texts = element.to_json()
        return texts.fill_null("null") if texts.null_count else texts
    values = element.values
    if values.null_count == 0:
        return number_texts(np.asarray(values))
    texts = number_texts(np.asarray(values.fill_null(0.0)))
    return pc.if_else(values.is_valid(), texts, "null")


# -- the text of a function -----------------------------------------------------------------------


def packing_of(source: str) -> Packing | None:
    """Return what the only function of a file packs; None where it may do anything else.

    The file is one that V8 has loaded: what is no JavaScript need not be told from what is.
    """
    tokens = _tokens(source)
    if tokens is None:
        return None
    reader = _Reader(tokens)
    try:
        return reader.file()
    except _Other:
        return None


def _tokens(source: str) -> list[tuple[str, bool]] | None:
    """Return the tokens, each with whether a line ends before it; None where others are there."""
    found, at, broken = [], 0, False
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            return None
        if match.lastgroup == "space":
            broken = broken or _LINE_END.search(match[0]) is not None
        else:
            found.append((match[0], broken))
            broken = False
        at = match.end()
    return found


class _Other(Exception):  # noqa: N818 - no failure: the text is of another shape
    """The text is not that of a packing function."""


class _Reader:
    """Reads the tokens of a file that is one packing function, or raises _Other.

    Where a semicolon may be left out, V8 has put one in already, or the file would not have loaded.
    """

    def __init__(self, tokens: list[tuple[str, bool]]) -> None:
        self._tokens = tokens
        self._at = 0

    def file(self) -> Packing:
        self._strict()
        if self._taken("function"):
            self._name()
            packing = self._body(self._parameters())
        else:
            self._declaring()
            self._name()
            self._take("=")
            packing = self._value()
            self._taken(";")
        if self._next() != _END:
            raise _Other
        return packing

    def _value(self) -> Packing:
        """Read a function expression, or an arrow and what is on both sides of it."""
        if self._taken("function"):
            if self._next() != "(":
                self._name()
            return self._body(self._parameters())
        parameters = self._parameters() if self._next() == "(" else (self._name(),)
        self._take("=>")
        if self._next() == "{":
            return self._body(parameters)
        if not self._taken("("):
            return self._literal(parameters)
        packing = self._literal(parameters)
        self._take(")")
        return packing

    def _body(self, parameters: tuple[str, ...]) -> Packing:
        """Read a block that returns a literal, or a variable that has just become one."""
        self._take("{")
        self._strict()
        if self._declaring(needed=False):
            variable = self._name()
            self._take("=")
            packing = self._literal(parameters)
            self._taken(";")
            self._return()
            if variable in parameters or self._name() != variable:
                raise _Other
        else:
            self._return()
            packing = self._literal(parameters)
        self._taken(";")
        self._take("}")
        return packing

    def _parameters(self) -> tuple[str, ...]:
        self._take("(")
        names: list[str] = []
        while not self._taken(")"):
            names.append(self._name())
            if self._next() != ")":
                self._take(",")
        if len(set(names)) < len(names):
            raise _Other
        return tuple(names)

    def _literal(self, parameters: tuple[str, ...]) -> Packing:
        """Read an array or object literal of parameters."""
        record = self._taken("{")
        if not record:
            self._take("[")
        end = "}" if record else "]"
        keys: list[str] = []
        values: list[str] = []
        while not self._taken(end):
            key = self._next()
            self._at += 1
            if record and self._taken(":"):
                keys.append(_key(key))
                values.append(self._name())
            else:
                keys.append(key)
                values.append(key)
            if self._next() != end:
                self._take(",")
        if not values or not set(values) <= set(parameters):
            raise _Other
        if record and (len(set(keys)) < len(keys) or "__proto__" in keys):
            raise _Other
        places = tuple(parameters.index(value) for value in values)
        return Packing(places, tuple(keys) if record else None)

    def _strict(self) -> None:
        if self._next() in _STRICT:
            self._at += 1
            self._taken(";")

    def _declaring(self, needed: bool = True) -> bool:
        if self._next() in _DECLARE:
            self._at += 1
            return True
        if needed:
            raise _Other
        return False

    def _return(self) -> None:
        self._take("return")
        if self._at < len(self._tokens) and self._tokens[self._at][1]:
            raise _Other  # a line end behind `return` ends the statement

    def _name(self) -> str:
        name = self._next()
        if not _NAME.fullmatch(name):
            raise _Other
        self._at += 1
        return name

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else _END

    def _taken(self, token: str) -> bool:
        if self._next() != token:
            return False
        self._at += 1
        return True

    def _take(self, token: str) -> None:
        if not self._taken(token):
            raise _Other


def _key(token: str) -> str:
    """Return the key that a name or a text before a colon is.

    Not digits: these fields come first, whatever their order.
    """
    name = token[1:-1] if token[:1] in ("'", '"') else token
    if not _KEY.fullmatch(name):
        raise _Other
    return name
