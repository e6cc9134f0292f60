"""Where CSV records end: blocks cut anywhere to blocks of whole records.

A line feed, or a carriage return alone, ends a record unless it stands between quotes, and a quote
opens a field only at the field's start. Counting quotes (an even number before the line's end) is
enough as long as every opening quote stands where a field starts, which numpy checks; only a block
with a stray quote, as in `5" pipe`, is walked quote by quote.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .decoded import SAMPLE_BYTES
from .json_layout import Broken

_QUOTE = ord('"')


class RecordCutter:
    """Cuts a stream into blocks of whole records. Keeps the begun record, and looks at it once.

    A record longer than the limit, most likely an opening quote without its end, is broken: it is
    taken to end with the first line feed behind the limit.

    Attributes:
        skipping: a broken record has not ended yet.
    """

    def __init__(self, delimiter: str, limit: int = 64 << 20) -> None:
        self._before_field = np.zeros(256, bool)
        for byte in b"\r\n" + delimiter.encode():
            self._before_field[byte] = True
        self._limit = limit
        self.skipping = False
        self._begin()

    def _begin(self) -> None:
        """A record begins with the next byte."""
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._inside = False
        self._last = ord("\n")
        self._just_closed = False

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """Return the records that are complete by now, with their newlines."""
        if self.skipping or self._pending_bytes + len(data) > self._limit:
            return self._limited(data)
        end = self._end(data, first=False)
        if end == 0:
            self._pending.append(data)
            self._pending_bytes += len(data)
            return []
        block = (
            b"".join([*self._pending, memoryview(data)[:end]])
            if end < len(data)
            else (b"".join([*self._pending, data]))
        )
        rest = data[end:]
        self._pending = [rest] if rest else []
        self._pending_bytes = len(rest)
        return [block]

    def _limited(self, data: bytes) -> list[bytes | Broken]:
        """Do the same where a record may be longer than the limit: look at each of them."""
        found: list[bytes | Broken] = []
        data = self._skipped(data, 0) if self.skipping else b"".join([*self._pending, data])
        self._begin()
        while data:
            ends = self._ends(data)
            starts = np.concatenate([[0], ends])
            long = np.flatnonzero(np.diff(np.append(starts, len(data))) > self._limit)
            start = int(starts[long[0] if len(long) else -1])
            if start:
                found.append(data[:start])
            if len(long) == 0:
                self._pending = [data[start:]]
                self._pending_bytes = len(data) - start
                break
            self._begin()
            found.append(
                Broken(data[start : start + min(SAMPLE_BYTES, self._limit)], _long(self._limit))
            )
            data = self._skipped(data, start + self._limit)
        return found

    def _skipped(self, data: bytes, start: int) -> bytes:
        """Return what follows the first line feed from `start` on."""
        end = data.find(b"\n", start) + 1
        self.skipping = end == 0
        return data[end:] if end else b""

    @property
    def pending(self) -> int:
        """How many bytes of a begun record are kept."""
        return self._pending_bytes

    def finish(self) -> bytes:
        """Return what is left at the end of the input."""
        block = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        return block

    def first(self, data: bytes) -> int:
        """Return the end of the first record of `data`, which starts a record."""
        return self._end(data, first=True) or len(data)

    def _end(self, data: bytes, *, first: bool) -> int:
        """Return the end of the last (or first) whole record in `data`, 0 when there is none."""
        if not data:
            return 0
        if not self._inside and b'"' not in data:
            self._last, self._just_closed = data[-1], False
            return _first_end(data) if first else _last_end(data)
        ends = self._ends(data, cut=not first)
        return int(ends[0 if first else -1]) if len(ends) else 0

    def _ends(self, data: bytes, *, cut: bool = True) -> NDArray[np.int64]:
        """Return where the whole records in `data` end, of which there may be more if it is cut."""
        chars = np.frombuffer(data, np.uint8)
        quotes = self._effective(chars)
        newlines = np.flatnonzero((chars == ord("\n")) | (chars == ord("\r")))
        odd = np.searchsorted(quotes, newlines) % 2 == 1
        ends = newlines[odd == self._inside]
        self._inside ^= bool(len(quotes) % 2)
        self._last = data[-1]
        self._just_closed = (
            not self._inside and len(quotes) > 0 and int(quotes[-1]) == len(data) - 1
        )
        if cut and len(ends) and data.endswith(b"\r") and int(ends[-1]) == len(data) - 1:
            ends = ends[:-1]  # its line feed may be in the next block
        following = chars[np.minimum(ends + 1, len(chars) - 1)]
        pair = (chars[ends] == ord("\r")) & (following == ord("\n")) & (ends + 1 < len(chars))
        found: NDArray[np.int64] = ends[~pair] + 1
        return found

    def _effective(self, chars: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the places of the quotes that open or close a field."""
        quotes = np.flatnonzero(chars == _QUOTE)
        opening = quotes[1 if self._inside else 0 :: 2]
        before = np.where(opening > 0, chars[np.maximum(opening - 1, 0)], self._last)
        # a quote after a quote goes on with the field: "" is one quote of its text
        doubled = (before == _QUOTE) & ((opening > 0) | self._just_closed)
        if bool((self._before_field[before] | doubled).all()):
            return quotes
        # sequential: what a stray quote is depends on all quotes before it (5 million quotes/s)
        found: list[int] = []
        inside, closed_at = self._inside, -1 if self._just_closed else -2
        last = self._last
        for place in quotes.tolist():
            before_place = int(chars[place - 1]) if place else last
            if inside:
                closed_at = place
            elif not (self._before_field[before_place] or closed_at == place - 1):
                continue
            inside = not inside
            found.append(place)
        return np.array(found, np.int64)


def _first_end(data: bytes) -> int:
    """Return the end of the first line of text without quotes, 0 when there is none."""
    feed, carriage = data.find(b"\n"), data.find(b"\r")
    if carriage < 0 or 0 <= feed <= carriage + 1:
        return feed + 1
    return carriage + 1


def _last_end(data: bytes) -> int:
    """Return the end of the last line of text without quotes, 0 when there is none.

    A carriage return at the very end ends nothing yet: its line feed may be in the next block.
    """
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1


def _long(limit: int) -> str:
    return f"longer than {limit:,} bytes; is a closing quote missing?"
