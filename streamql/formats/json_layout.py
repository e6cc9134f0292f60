"""How JSON events lie in a file, and how to bring each of them onto one line.

| layout    | looks like                                                | splitter           |
|-----------|-----------------------------------------------------------|--------------------|
| lines     | one event (or several, one behind the other) a line       | `LineSplitter`     |
| documents | events of several lines, or no line ends between them     | `DocumentSplitter` |
| array     | `[`, events with commas between them, `]`                 | `DocumentSplitter` |

A splitter takes bytes cut anywhere and gives blocks of whole lines. What it holds is one unfinished
event at most, and of that no more than the limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..types import DATETIME_MARK
from .decoded import SAMPLE_BYTES

BOM = b"\xef\xbb\xbf"

BLOCK = 4 << 20
"""A block is not much longer than this, unless a line is."""

_LOOK_AHEAD = 1 << 20  # so many bytes are waited for before the layout is chosen
_BLANKS = b" \t\r\n"
_MARK = DATETIME_MARK.encode()
_REPLACEMENT = "\ufffd".encode()
_MARK_ESCAPE = re.compile(rb"((?<!\\)(?:\\\\)*)\\u[fF][dD][dD]0")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STEP = np.zeros(256, np.int32)
_STEP[[ord("{"), ord("[")]] = 1
_STEP[[ord("}"), ord("]")]] = -1
_STRUCTURE = _STEP != 0
_STRUCTURE[ord(",")] = True

Places = NDArray[np.int64]
_Whole = TypeVar("_Whole", np.int32, np.int64)


@dataclass(frozen=True, slots=True)
class Broken:
    """An event that is bad already as text: its first bytes, and why."""

    text: bytes
    reason: str


class Splitter(Protocol):
    """Bytes cut anywhere to blocks of whole lines, each with a line end, and broken events."""

    def feed(self, data: bytes) -> Iterator[bytes | Broken]: ...

    def finish(self) -> Iterator[bytes | Broken]: ...


def choose(head: bytes | bytearray, limit: int, *, ended: bool) -> Splitter | None:
    """Return the splitter for an input that starts with `head`, None when that is too short."""
    text = bytes(head).removeprefix(BOM).lstrip(_BLANKS)
    enough = ended or len(head) >= _LOOK_AHEAD
    if text[:1] == b"[":
        return DocumentSplitter(limit, array=True)
    if text[:1] != b"{":
        return LineSplitter(limit) if text or enough else None
    line, newline, rest = text.partition(b"\n")
    following = rest.lstrip(_BLANKS)[:1]
    if not following and not enough and (newline == b"" or not _closed(line)):
        return None
    if not newline and not ended:
        several = re.search(rb"\}\s*\{", _STRING.sub(b"", text)) is not None
        return DocumentSplitter(limit, array=False) if several else LineSplitter(limit)
    if _closed(line) or following in (b"{", b""):
        return LineSplitter(limit)
    return DocumentSplitter(limit, array=False)


def _closed(line: bytes) -> bool:
    """Tell whether a line closes as many braces and brackets as it opens, and all its strings."""
    bare = _STRING.sub(b"", line)
    steps = _STEP[np.frombuffer(bare, np.uint8)] if bare else np.zeros(1, np.int32)
    return b'"' not in bare and int(steps.sum()) <= 0


def unescaped(quotes: NDArray[_Whole], slashes: Places, size: int) -> tuple[NDArray[_Whole], bool]:
    """Return the quotes that no backslash escapes, and whether one escapes the byte at `size`."""
    if len(slashes) == 0:
        return quotes, False
    # a backslash is active when an even number of them comes right before it
    number = np.arange(len(slashes))
    breaks = np.concatenate(([True], np.diff(slashes) > 1))
    run = number - np.maximum.accumulate(np.where(breaks, number, 0))
    escaped = np.zeros(size + 1, bool)
    escaped[slashes[run % 2 == 0] + 1] = True
    return quotes[~escaped[quotes]], bool(escaped[size])


class _Held:
    """The start of an unfinished event; over the limit only its first bytes are kept."""

    def __init__(self, limit: int, spare: int = 0) -> None:
        self.limit = limit
        self.spare = spare
        self.text = bytearray()
        self.over = False

    def add(self, piece: bytes | memoryview) -> None:
        """Add bytes to the event."""
        if self.over:
            return
        self.text += piece
        if len(self.text) > self.limit + self.spare:
            self.over = True
            self.text = self.text[:SAMPLE_BYTES]

    def take(self) -> bytearray:
        """Return what is held, and hold nothing."""
        text, self.text, self.over = self.text, bytearray(), False
        return text

    def broken(self) -> Broken:
        """Return the event that is over the limit, and hold nothing."""
        return Broken(bytes(self.take())[: self.limit], f"longer than {self.limit:,} bytes")


class LineSplitter:
    """Blocks of lines out of bytes.

    Attributes:
        taken: bytes up to the end of the last line that was given; `at` of them came before.
    """

    def __init__(self, limit: int, at: int = 0) -> None:
        self._held = _Held(limit, spare=1)  # for a carriage return
        self._fed = at
        self.taken = at

    def feed(self, data: bytes) -> Iterator[bytes | Broken]:
        """Return the lines that are complete with these bytes."""
        view = memoryview(data)
        at, before = 0, self._fed
        self._fed += len(data)
        while at < len(data):
            stop = min(at + BLOCK, len(data))
            if self._held.over:
                end = data.find(b"\n", at, stop) + 1
                at = end or stop
                if end:
                    self.taken = before + end
                    yield self._held.broken()
                continue
            end = data.rfind(b"\n", at, stop) + 1
            if end:
                self.taken = before + end
                held = self._held.take()
                yield b"".join((held, view[at:end])) if held or end - at < len(data) else data
            else:
                self._held.add(view[at:stop])
            at = end or stop

    def finish(self) -> Iterator[bytes | Broken]:
        """Return the last line, if it had no line end."""
        self.taken = self._fed
        if self._held.over:
            yield self._held.broken()
        elif self._held.text:
            yield bytes(self._held.take() + b"\n")


class DocumentSplitter:
    """Lines out of events that are spread over several lines, or follow one another on one.

    The state between two pieces of bytes is the depth of the brackets, whether a string is open,
    and whether a backslash came last. In an array the depth counts the array itself.
    """

    def __init__(self, limit: int, *, array: bool) -> None:
        self._limit = limit
        self._held = _Held(limit)
        self._array = array
        self._started = not array
        self._depth = 0
        self._inside = False
        self._escaped = False
        self._elements = False  # an array: whether a comma came before
        self._bare = True  # whether no bracket came since the last event
        self._after: LineSplitter | None = None

    def feed(self, data: bytes) -> Iterator[bytes | Broken]:
        """Return the events that are complete with these bytes."""
        if not self._started:
            start = data.find(b"[") + 1
            if not start:
                return
            data = data[start:]
            self._started, self._depth = True, 1
        for at in range(0, len(data), BLOCK):
            if self._after is not None:
                yield from self._after.feed(data[at : at + BLOCK])
            else:
                yield from self._piece(np.frombuffer(data, np.uint8)[at : at + BLOCK].copy())

    def finish(self) -> Iterator[bytes | Broken]:
        """Return what is left at the end of the input."""
        if self._after is not None:
            yield from self._after.finish()
            return
        if self._held.over:
            yield self._held.broken()
        elif self._held.text.strip(_BLANKS):
            yield bytes(self._held.take() + b"\n")
        if self._array:
            yield Broken(b"", "the array of events has no end: ] is missing")

    def _piece(self, raw: NDArray[np.uint8]) -> Iterator[bytes | Broken]:
        places, inside = self._structure(raw)
        signs = raw[places]
        depths = self._depth + np.cumsum(_STEP[signs], dtype=np.int64)
        if not self._array:  # a closing bracket too many closes nothing
            depths -= np.minimum(np.minimum.accumulate(depths), 0) if len(depths) else 0
        self._flatten(raw, inside)
        if self._array:
            yield from self._elements_of(raw, places, depths)
            return
        self._depth = int(depths[-1]) if len(depths) else self._depth
        ends = places[(depths == 0) & (_STEP[signs] < 0)] + 1
        if len(ends) == 0:
            self._held.add(raw.tobytes())
            return
        last = int(ends[-1])
        yield from self._lines(np.insert(raw[:last], ends, 10).tobytes())
        self._held.add(raw[last:].tobytes())

    def _elements_of(
        self, raw: NDArray[np.uint8], places: Places, depths: Places
    ) -> Iterator[bytes | Broken]:
        """Return the complete elements of an array; commas become line ends."""
        closing = np.flatnonzero(depths == 0)
        stop = int(closing[0]) if len(closing) else len(places)
        self._depth = int(depths[-1]) if len(depths) else self._depth
        commas = np.flatnonzero((depths[:stop] == 1) & (raw[places[:stop]] == 44))
        cuts = places[commas]
        # between two commas without a bracket there is no object, and perhaps nothing at all
        before = np.concatenate(([-1], commas[:-1])) if len(commas) else commas
        bare = np.flatnonzero(commas == before + 1)
        blank = [i for i in bare.tolist() if self._is_blank(raw, cuts, i)]
        text = raw
        text[cuts] = 10
        end = int(cuts[-1]) + 1 if len(cuts) else 0
        lines = np.insert(text[:end], cuts[blank], 44) if blank else text[:end]
        if len(cuts):
            yield from self._lines(lines.tobytes())
            self._elements = True
            self._bare = True
        rest = places[int(commas[-1]) + 1 if len(commas) else 0 : stop]
        self._bare &= len(rest) == 0
        if stop == len(places):
            self._held.add(text[end:].tobytes())
            return
        close = int(places[stop])
        right = raw[close] == ord("]")
        self._held.add(text[end : close if right else close + 1].tobytes())
        if self._held.over or self._held.text.strip(_BLANKS):
            yield from self._lines(b"\n")
        elif self._elements:
            yield Broken(b"]", "not valid JSON: a comma before the end of the array")
        self._array, self._after = False, LineSplitter(self._limit)
        yield from self._after.feed(self._original[close + 1 :])

    def _is_blank(self, raw: NDArray[np.uint8], cuts: Places, number: int) -> bool:
        """Tell whether there is nothing before a comma, which has no bracket before it."""
        if number > 0:
            return not raw[cuts[number - 1] + 1 : cuts[number]].tobytes().strip(_BLANKS)
        held = self._held.text if self._bare and not self._held.over else b"x"
        return not (bytes(held) + raw[: cuts[0]].tobytes()).strip(_BLANKS)

    def _lines(self, text: bytes) -> Iterator[bytes | Broken]:
        """Return lines, the first of which continues what is held."""
        if self._held.over:
            yield self._held.broken()
            text = text[text.index(b"\n") + 1 :]
        if self._held.text:
            text = bytes(self._held.take()) + text
        if text:
            yield text

    def _structure(self, raw: NDArray[np.uint8]) -> tuple[Places, Places]:
        """Return the places of structural bytes outside of strings, and of the quotes.

        Keeps the state of strings and backslashes for the next piece.
        """
        seen = raw
        if self._escaped and raw[0] in (34, 92):
            seen = raw.copy()
            seen[0] = 32
        quotes, self._escaped = unescaped(
            np.flatnonzero(seen == 34), np.flatnonzero(seen == 92), len(seen)
        )
        places = np.flatnonzero(_STRUCTURE[seen])
        open_before = np.searchsorted(quotes, places) + self._inside
        self._was_inside = self._inside
        self._inside = bool((len(quotes) + self._inside) & 1)
        return places[open_before % 2 == 0], quotes

    def _flatten(self, raw: NDArray[np.uint8], quotes: Places) -> None:
        """Replace line ends by blanks; one inside of a string stays an error."""
        self._original = raw.tobytes() if self._array else b""
        ends = np.flatnonzero((raw == 10) | (raw == 13))
        inside = (np.searchsorted(quotes, ends) + self._was_inside) % 2 == 1
        raw[ends] = np.where(inside, np.uint8(1), np.uint8(32))


def without_marks(data: bytes) -> bytes:
    """Return the text with U+FDD0, which marks datetimes inside, replaced by U+FFFD."""
    if b"\xef" in data and _MARK in data:  # one byte is found ten times as fast as more
        data = data.replace(_MARK, _REPLACEMENT)
    if b"\\" in data and b"\\u" in data:
        data = _MARK_ESCAPE.sub(rb"\1\\ufffd", data)
    return data
