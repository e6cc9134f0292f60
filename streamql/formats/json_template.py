"""The form of a JSON line: the literal text between its values, and a slot for each value.

A producer writes its events with the same keys in the same order. One line is parsed into a
template; `json_lines` then finds the lines of a block that have exactly its form, and the values of
a field are the texts between known places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

MAX_LINE = 65_536
"""A longer line makes no template: taking it apart would cost more than parsing it."""

_TOKEN = re.compile(
    rb'"[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]+|[ \t\r]+'
)
OBJECTS = 33
"""Levels of objects that a template has at most."""
_BRACKETS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a line: `distance` bytes from edge number `edge` (see `Template`)."""

    edge: int
    distance: int = 0


@dataclass(slots=True)
class Node:
    """A value of the template: a slot, or an object with members.

    `string` slots lie between their quotes; bare slots hold a whole value that is no string.
    """

    start: Place
    end: Place
    string: bool = False
    members: dict[str, Node] | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """The text before a slot, or after the last one.

    It is found by the quote number `quote` of the line, which lies `inside` bytes behind its start;
    quote -1 stands for the end of the line.
    """

    text: bytes
    quote: int
    inside: int


@dataclass(slots=True)
class Template:
    """The form of a line: literals with slots between them.

    `quotes` counts those that begin and end strings; `bare` and `strings` are its slots. Literal j
    reaches from edge 2j to edge 2j + 1, the slot behind it from there to edge 2j + 2.
    """

    quotes: int
    root: Node
    literals: list[Literal]
    bare: list[Node] = field(default_factory=list)
    strings: list[Node] = field(default_factory=list)
    hits: int = 0
    _expected: pa.Buffer | None = None

    @property
    def width(self) -> int:
        """The number of literal bytes in a line."""
        return sum(len(literal.text) for literal in self.literals)

    def expected(self, lines: int) -> pa.Buffer:
        """Return the literal bytes of that many lines, one line after the other."""
        size = lines * self.width
        if self._expected is None or self._expected.size < size:
            self._expected = pa.py_buffer(b"".join(x.text for x in self.literals) * lines)
        return self._expected.slice(0, size)


def template_of(line: bytes, objects: int = OBJECTS) -> Template | None:
    """Return the template of a line (valid JSON), or None when the line is not fit to be one.

    Unfit are lines with escapes in a key, with a key twice in one object, with no slot, very
    long ones, and those with more than so many levels of `objects`.
    """
    if len(line) > MAX_LINE:
        return None
    tokens = []
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            return None
        if not found[0].isspace():
            tokens.append((found.start(), found[0]))
        at = found.end()
    return _Reader(line, tokens, objects).template()


class _Reader:
    """One pass over the tokens of a JSON object.

    Slots are gathered as (start, end, node); edges are assigned when all of them are known.
    """

    def __init__(self, line: bytes, tokens: list[tuple[int, bytes]], objects: int) -> None:
        self.line = line
        self.deepest = objects
        self.tokens = tokens
        self.at = 0
        self.slots: list[tuple[int, int]] = []
        self.bare: list[Node] = []
        self.strings: list[Node] = []
        self.objects: list[tuple[int, int, Node]] = []

    def template(self) -> Template | None:
        """Return the template of the line, None when it has none."""
        try:
            root = self._object(0)
        except (IndexError, ValueError, UnicodeDecodeError):
            return None
        if self.at != len(self.tokens) or not self.slots:
            return None
        strings = [(at, at + len(text) - 1) for at, text in self.tokens if text[:1] == b'"']
        quotes = np.array([place for string in strings for place in string], np.int64)
        bounds = [0, *(place for slot in self.slots for place in slot), len(self.line)]
        literals = []
        for start, end in zip(bounds[0::2], bounds[1::2], strict=True):
            text = self.line[start:end]
            inside = text.find(b'"')
            number = int(np.searchsorted(quotes, start + inside)) if inside >= 0 else -1
            literals.append(Literal(text, number, inside if inside >= 0 else len(text)))
        for start, end, node in self.objects:
            node.start = self._place(start, bounds)
            node.end = self._place(end, bounds)
        return Template(len(quotes), root, literals, self.bare, self.strings)

    def _place(self, at: int, bounds: list[int]) -> Place:
        """Return a place within a literal, counted from the literal's start."""
        number = int(np.searchsorted(bounds[0::2], at, side="right")) - 1
        return Place(2 * number, at - bounds[2 * number])

    def _next(self) -> tuple[int, bytes]:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def _object(self, depth: int) -> Node:
        start, token = self._next()
        if token != b"{" or depth >= self.deepest:
            raise ValueError
        members: dict[str, Node] = {}
        while True:
            _, key = self._next()
            if key[:1] != b'"' or b"\\" in key:
                raise ValueError
            name = key[1:-1].decode()
            if name in members or self._next()[1] != b":":
                raise ValueError
            members[name] = self._value(depth)
            end, token = self._next()
            if token == b"}":
                node = Node(Place(0), Place(0), members=members)
                self.objects.append((start, end + 1, node))
                return node
            if token != b",":
                raise ValueError

    def _value(self, depth: int) -> Node:
        start, token = self.tokens[self.at]
        if token == b"{" and self.tokens[self.at + 1][1] != b"}":
            return self._object(depth + 1)
        if token[:1] == b'"':
            self.at += 1
            node = self._slot(start + 1, start + len(token) - 1, string=True)
            self.strings.append(node)
            return node
        level = 0
        while True:
            at, token = self._next()
            level += _BRACKETS.get(token, 0)
            if level <= 0:
                break
        node = self._slot(start, at + len(token), string=False)
        self.bare.append(node)
        return node

    def _slot(self, start: int, end: int, *, string: bool) -> Node:
        number = len(self.slots)
        self.slots.append((start, end))
        return Node(Place(2 * number + 1), Place(2 * number + 2), string)
