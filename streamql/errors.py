"""Everything that can go wrong because of what the user wrote, connected or fed in.

    StreamqlError
    ├── CompileError            the query is refused before any event is read       exit 2
    │   ├── ParseError          it is not a sentence of the language
    │   └── BindError           it names or combines things that do not fit
    ├── UsageError              a flag, a setting or a file does not fit            exit 2
    └── RunError                the job was running and had to stop                 exit 3
        ├── DataError           a value does not fit (cast, overflow, wrong type)
        ├── FunctionError       a JavaScript, Python or scoring function failed
        ├── InputError          an input cannot be read
        ├── OutputError         an output cannot be written
        └── CheckpointError     a checkpoint cannot be written or read

`InternalError` is outside of the tree: it means a defect of StreamQL.
Messages are lower case, say what was found, and end without a full stop; the hint says what to do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Span:
    """Where something was written: character offsets into the query, end excluded."""

    start: int
    end: int


class InternalError(Exception):
    """A defect of StreamQL, not of the query or the data."""


class StreamqlError(Exception):
    """Base of all errors caused by what the user wrote or connected.

    Args:
        message: what was found, in one sentence.
        span: the place in the query, where there is one.
        hint: what would fit or what to do.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint

    def at(self, span: Span | None) -> StreamqlError:
        """Return self with a place, unless it has one already (the innermost place wins)."""
        if self.span is None:
            self.span = span
        return self


class CompileError(StreamqlError):
    """The query is refused before any event is read."""

    exit_code = 2


class ParseError(CompileError):
    """The text is not a sentence of the language."""


class BindError(CompileError):
    """The query names or combines things that do not fit."""


class UsageError(StreamqlError):
    """A flag, a setting or a file does not fit."""

    exit_code = 2


class RunError(StreamqlError):
    """The job was running and had to stop.

    `row` is the row's index within the batch at hand; whoever knows the batch turns it into the
    event's number in its input (`event`, counted from 1).
    """

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        hint: str | None = None,
        *,
        row: int | None = None,
        event: int | None = None,
    ) -> None:
        super().__init__(message, span, hint)
        self.row = row
        self.event = event


class DataError(RunError):
    """A value does not fit: a failed cast, an overflow, a wrong type at run time."""


class FunctionError(RunError):
    """A JavaScript, Python or scoring function failed.

    `certain` tells that `row` fails by itself; a limit of a whole batch was exceeded at a row that
    need not be the one to blame.
    """

    certain: bool = True


class InputError(RunError):
    """An input cannot be read."""


class OutputError(RunError):
    """An output cannot be written.

    `retriable` tells that nothing is wrong with the rows and the same call may well succeed later:
    a server that went away, a database that is locked. The sink is as if it had not been called.
    """

    def __init__(
        self,
        message: str,
        span: Span | None = None,
        hint: str | None = None,
        *,
        row: int | None = None,
        event: int | None = None,
        retriable: bool = False,
    ) -> None:
        super().__init__(message, span, hint, row=row, event=event)
        self.retriable = retriable


class CheckpointError(RunError):
    """A checkpoint cannot be written or read."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `name` (ignoring case), or None when none is near."""
    by_lower = {k.lower(): k for k in known}
    match = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.65)
    return by_lower[match[0]] if match else None


def suggest(name: str, known: Iterable[str]) -> str | None:
    """Return the hint "did you mean ...?" for an unknown name, or None."""
    near = nearest(name, known)
    return f"did you mean {near}?" if near else None


def place(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of an offset, counted from 1."""
    offset = min(offset, len(text))
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def excerpt(text: str, span: Span, width: int | None = None) -> tuple[str, str]:
    """Return the line that a span begins in, and carets under it; cut to a width, and where there
    is none a line that is very long to what is around the place."""
    start = min(span.start, len(text))
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)].rstrip("\r").expandtabs(1)
    column = start - begin
    if width is None and len(line) > _LONG_LINE:
        width = _LONG_LINE // 5
    if width is not None and len(line) > (room := max(width, _LEAST_WIDTH)):
        cut = max(0, min(column - room // 3, len(line) - room))
        before, behind = "…" if cut else "", "…" if cut + room < len(line) else ""
        line = before + line[cut + len(before) : cut + room - len(behind)] + behind
        column -= cut
    carets = max(1, min(span.end - start, len(line) - column))
    indent, under = _cells(line[:column]), _cells(line[column : column + carets])
    return line, " " * indent + "^" * max(carets, under)


def _cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


_LEAST_WIDTH = 20
_LONG_LINE = 1000
_CARETS = re.compile(r"  \| ( *)(\^+)")


def render(error: StreamqlError, text: str | None = None, width: int | None = None) -> str:
    """Return the error as a person should see it, with a caret under the place in `text`.

    A line of the text that is longer than `width` is cut around the place.
    """
    lines = [f"error: {error.message}"]
    event = getattr(error, "event", None)
    if event is not None:
        lines[0] += f" (event {event:,} of the input)"
    if error.span is not None and text is not None:
        line, column = place(text, error.span.start)
        lines.append(f"  line {line}, column {column}")
        lines += (f"  | {part}" for part in excerpt(text, error.span, width and width - 4))
    if error.hint:
        lines += _fitting(f"hint: {error.hint}".split("\n"), width)
    return "\n".join(lines)


def _fitting(lines: list[str], width: int | None) -> list[str]:
    """Return the lines of a hint, those of a script over carets cut to a width."""
    fitting = list(lines)
    for at in range(len(lines) - 1):
        carets = _CARETS.fullmatch(lines[at + 1])
        if width is not None and carets is not None and lines[at].startswith("  | "):
            span = Span(len(carets[1]), len(carets[1]) + len(carets[2]))
            cut = excerpt(lines[at].removeprefix("  | "), span, width - 4)
            fitting[at : at + 2] = (f"  | {part}" for part in cut)
    return fitting
