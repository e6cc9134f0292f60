"""JSON bytes to rows: JSON lines, an array of events, events one behind the other.

A block of whole lines is scanned once for quotes and line ends. Lines of a known template become
columns (`json_lines`); the other lines are parsed one by one (`json_single`), unless enough of them
share a form to make a template. Both ways give the same values, in the order of the events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ..errors import UsageError
from ..turns import TURN
from .decoded import SAMPLE_BYTES, BadEvent, Decoded, Place
from .json_found import Found
from .json_layout import BOM, Broken, LineSplitter, Splitter, choose, unescaped, without_marks
from .json_legal import MAX_DEPTH
from .json_lines import Block, Index, match
from .json_single import ParsedRows
from .json_template import OBJECTS, Template, template_of

_FEW = 64  # so many lines are parsed one by one: scanning a block costs as much
_WORTH = 50  # so many lines left over are worth looking for a further template
_TEMPLATES = 8  # templates kept at a time
_ATTEMPTS = 6  # lines tried as templates in one block
_SHARE = 0.02  # of the lines left over, that a template must catch to be kept
_LARGE = 1 << 18  # bytes from which a thread is worth it
_SCAN = 1 << 19  # bytes scanned at a time: what is found stays in the cache
_HEAD = 1 << 15  # bytes that tell whether a block is worth reading in one pass

Mask = NDArray[np.bool_]


class JsonLinesDecoder:
    """Decodes JSON text into events; see `decoded.Decoder` for `feed` and `finish`.

    Args:
        layout: "lines" for one event a line; "auto" looks at the first bytes: an array of events
            (`[` comes first), events of several lines or one behind the other, else lines.
        max_line_bytes: a longer event is bad, and is not held in memory.
        max_depth: an event nested deeper is bad.
        ahead: blocks that are read in threads while the next ones come; the last ones are returned
            by a later `feed` or by `finish`, so this is for inputs that do not pause.
    """

    def __init__(
        self,
        *,
        layout: str = "auto",
        max_line_bytes: int = 64 << 20,
        max_depth: int = MAX_DEPTH,
        ahead: int = 0,
    ) -> None:
        if layout not in ("lines", "auto"):
            raise UsageError(f"no JSON layout is called {layout}", hint="lines or auto")
        self._layout = layout
        self._max, self._deepest = max_line_bytes, max_depth
        self._head = bytearray()
        self._splitter: Splitter | None = None
        self._templates: list[Template] = []
        self._lock = Lock()
        self._ahead = ahead
        self._threads: ThreadPoolExecutor | None = None
        self._begun: deque[tuple[Future[tuple[Decoded, int]], int]] = deque()
        self._events = 0
        self._lines = 0
        self._taken_bytes = 0

    def feed(self, data: bytes) -> list[Decoded]:
        """Return the events that are complete with these bytes."""
        if self._splitter is None:
            self._head += data
            if not self._choose(ended=False):
                return []
            data, self._head = bytes(self._head), bytearray()
        assert self._splitter is not None
        return self._decode(self._splitter.feed(data), self._ahead)

    def finish(self) -> list[Decoded]:
        """Return the events that the end of the input completes."""
        pieces: list[bytes | Broken] = []
        if self._splitter is None:
            self._choose(ended=True)
            assert self._splitter is not None
            pieces.extend(self._splitter.feed(bytes(self._head)))
        pieces.extend(self._splitter.finish())
        found = self._decode(pieces, 0)
        if self._threads is not None:
            self._threads.shutdown()
        return found

    def place(self) -> Place | None:
        """Return where to go on: behind a line; None for other layouts."""
        if self._splitter is not None and not isinstance(self._splitter, LineSplitter):
            return None
        return {"bytes": self._taken_bytes, "lines": self._lines}

    def resume(self, place: Place) -> None:
        """Go on behind a line."""
        self._splitter = LineSplitter(self._max, place["bytes"])
        self._taken_bytes, self._lines = place["bytes"], place["lines"]

    def _choose(self, *, ended: bool) -> bool:
        """Choose the splitter when the first bytes tell which; a byte order mark is dropped."""
        if len(self._head) < len(BOM) and BOM.startswith(self._head) and not ended:
            return False
        marked = self._head.startswith(BOM)
        if self._layout == "lines":
            self._splitter = LineSplitter(self._max)
        else:
            self._splitter = choose(self._head, self._max, ended=ended)
        if self._splitter is None:
            return False
        if marked:
            del self._head[: len(BOM)]
            if isinstance(self._splitter, LineSplitter):
                self._splitter = LineSplitter(self._max, len(BOM))
        return True

    def _decode(self, pieces: Iterable[bytes | Broken], ahead: int) -> list[Decoded]:
        """Return the events of whole lines, in order; up to `ahead` blocks stay on their way."""
        found = []
        for piece in pieces:
            end = getattr(self._splitter, "taken", 0)
            if self._ahead and not isinstance(piece, Broken) and len(piece) >= _LARGE:
                if self._threads is None:
                    self._threads = ThreadPoolExecutor(self._ahead, "read json")
                self._begun.append((self._threads.submit(self._in_turn, piece), end))
                continue
            found += self._taken(0)
            found.append(self._numbered(*self._read(piece), end))
        found += self._taken(ahead)
        return [decoded for decoded in found if len(decoded) or decoded.bad]

    def _taken(self, ahead: int) -> list[Decoded]:
        """Return the blocks that were begun, but the last `ahead`."""
        found = []
        while len(self._begun) > ahead:
            begun, end = self._begun.popleft()
            found.append(self._numbered(*begun.result(), end))
        return found

    def _numbered(self, decoded: Decoded, lines: int, end: int) -> Decoded:
        """Give the events of a block, numbered from 1, their numbers; it ends at byte `end`."""
        events, line = self._events, self._lines
        self._taken_bytes = end
        self._lines += lines
        self._events += len(decoded) + len(decoded.bad)
        if not (events or line):
            return decoded
        bad = tuple(
            replace(b, event=b.event + events, line=None if b.line is None else b.line + line)
            for b in decoded.bad
        )
        return Decoded(decoded.rows, decoded.events + events, bad)

    def _in_turn(self, piece: bytes) -> tuple[Decoded, int]:
        with TURN:
            return self._read(piece)

    def _read(self, piece: bytes | Broken) -> tuple[Decoded, int]:
        """Return the events of whole lines, numbered from 1, and how many lines they are."""
        line = 1 if isinstance(self._splitter, LineSplitter) else 0
        if isinstance(piece, Broken):
            bad = BadEvent(1, piece.reason, piece.text[:SAMPLE_BYTES], line or None)
            return Decoded(ParsedRows([], []), np.empty(0, np.int64), (bad,)), 1
        data = without_marks(piece)
        found = Found(1, line)
        if len(data) >= 1 << 16 or data.count(b"\n") > _FEW:
            lines = self._read_block(data, found)
        else:
            texts = data.split(b"\n")
            lines = len(texts) - (not texts[-1])
            for number, text in enumerate(texts[:lines]):
                found.single(number, text, self._max, self._deepest)
        return found.decoded(lines), lines

    def _read_block(self, data: bytes, found: Found) -> int:
        """Read the lines of a block, by templates as far as possible; return their number."""
        block, left = scan(data)
        left &= block.ends - block.starts <= self._max
        with self._lock:
            known = list(self._templates)
        for template in known:
            self._apply(template, block, left, found)
        made = self._search(block, left, found)
        with self._lock:  # which way a line is read makes no difference to its values
            self._templates += made
            self._templates.sort(key=lambda template: -template.hits)
            del self._templates[_TEMPLATES:]
        caught = np.zeros(len(block.starts), bool)
        for index, _ in found.parts:
            caught[index] = True
        for number in np.flatnonzero(~caught).tolist():
            text = data[block.starts[number] : block.ends[number]]
            found.single(number, text, self._max, self._deepest)
        return len(block.starts)

    def _search(self, block: Block, left: Mask, found: Found) -> list[Template]:
        """Make templates of lines that no known template has caught, while it is worth it."""
        made: list[Template] = []
        objects = min(OBJECTS, self._deepest - self._deepest // 2)  # `legal` leaves them so much
        tried = np.zeros(len(left), bool)
        for _ in range(_ATTEMPTS):
            rest = np.flatnonzero(left & ~tried)
            if len(rest) < _WORTH:
                break
            tried[rest[0]] = True
            text = block.data[block.starts[rest[0]] : block.ends[rest[0]]]
            template = template_of(text, objects) if _is_object(text) else None
            if template is not None:
                caught = self._apply(template, block, left, found)
                if caught >= _SHARE * len(rest):
                    made.append(template)
        return made

    def _apply(self, template: Template, block: Block, left: Mask, found: Found) -> int:
        """Take the lines of a template out of those left; return how many they are."""
        candidates = np.flatnonzero(left & (block.counts() == template.quotes))
        matched = match(block, template, candidates, self._deepest) if len(candidates) else None
        caught = 0 if matched is None else len(matched[0])
        template.hits = template.hits // 2 + caught
        if matched is not None:
            left[matched[0]] = False
            found.parts.append(matched)
        return caught


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def scan(data: bytes) -> tuple[Block, Mask]:
    """Find lines and quotes; return also which lines a template may have.

    Not fit for a template are lines with control characters or bytes that are no UTF-8.
    """
    raw = np.frombuffer(data, np.uint8)
    quotes, controls = _positions(raw)
    newline = raw[controls] == 10
    ends = controls[newline]
    if len(ends) == 0 or ends[-1] != len(data) - 1:
        ends = np.append(ends, np.int32(len(data)))
    starts = np.empty_like(ends)
    starts[0] = 0
    starts[1:] = ends[:-1] + 1
    odd = [controls[~newline]]
    if len(odd[0]):
        following = raw[np.minimum(odd[0] + 1, len(raw) - 1)]
        returns = (raw[odd[0]] == 13) & ((following == 10) | (odd[0] == len(raw) - 1))
        odd[0] = odd[0][~returns]
    escapes = b"\\" in data
    if escapes:
        quotes, _ = unescaped(quotes, np.flatnonzero(raw == 92), len(raw))
    if int(raw.max()) >= 128 and not _is_utf8(data):
        odd.append(np.flatnonzero(raw >= 128))
    fit = np.ones(len(ends), bool)
    for places in odd:
        fit[np.searchsorted(ends, places)] = False
    if b"\r" in data:
        ends = ends - ((ends > starts) & (raw[ends - 1] == 13))
    firsts = _firsts(quotes, starts, ends)
    return Block(data, escapes, starts, ends, quotes, firsts), fit


def _positions(raw: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the places of quotes and of control characters."""
    if _alike(raw[:_HEAD]):
        return _in_one_pass(raw)
    quotes = np.empty(len(raw), np.int32)  # the pages not written cost nothing
    controls = []
    count = 0
    for start in range(0, len(raw), _SCAN):
        part = raw[start : start + _SCAN]
        some = np.flatnonzero(part == 34)
        np.add(some, start, out=quotes[count : count + len(some)], casting="unsafe")
        count += len(some)
        controls.append((np.flatnonzero(part < 32) + start).astype(np.int32))
    return quotes[:count], np.concatenate(controls)


def _alike(head: NDArray[np.uint8]) -> bool:
    """Tell whether the first lines have as many quotes each, no blanks and no `!`."""
    signs = head[head < 35]
    ends = np.flatnonzero(signs != 34)
    return len(ends) > 1 and bool((np.diff(ends) == ends[0] + 1).all())


def _in_one_pass(raw: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the same for lines that are mostly alike.

    Below 35 there are quotes (34), control characters, the blank and `!`; where the last two are
    missing, and each line has as many quotes, every so many places a line ends.
    """
    places = np.empty(len(raw), np.int32)
    count = quotes = 0
    for start in range(0, len(raw), _SCAN):
        part = raw[start : start + _SCAN]
        some = np.flatnonzero(part < 35)
        np.add(some, start, out=places[count : count + len(some)], casting="unsafe")
        count += len(some)
        quotes += int(np.count_nonzero(part == 34))
    lines = count - quotes
    if lines and count % lines == 0:
        table = places[:count].reshape(lines, -1)
        if bool((raw[table[:, -1]] == 10).all()):  # these are all that are no quotes
            return table[:, :-1].ravel(), table[:, -1].copy()
    signs = raw[places[:count]]
    return places[:count][signs == 34], places[:count][signs < 32]


def _firsts(quotes: NDArray[np.int32], starts: NDArray[np.int32], ends: NDArray[np.int32]) -> Index:
    """Return the index of each line's first quote, and at last the number of quotes."""
    lines = len(starts)
    each = len(quotes) // lines
    if each and each * lines == len(quotes):
        table = quotes.reshape(lines, each)
        if bool((table[:, 0] >= starts).all()) and bool((table[:, -1] < ends).all()):
            return np.arange(0, len(quotes) + 1, each)
    firsts = np.empty(lines + 1, np.int64)
    firsts[:-1] = np.searchsorted(quotes, starts)
    firsts[-1] = len(quotes)
    return firsts


def _is_utf8(data: bytes) -> bool:
    try:
        whole = [None, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data)]
        pa.Array.from_buffers(pa.string(), 1, whole).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
