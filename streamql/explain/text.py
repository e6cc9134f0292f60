"""An explanation as text: numbered steps with their facts, and the query beside figures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from .explain import with_lines
from .model import Explanation, Measured, Step

Style = Callable[[str, str], str]
"""Returns a text as something of a kind: `title`, `label`, `number`."""


def plain(text: str, _kind: str) -> str:
    """Return the text as it is."""
    return text


def as_text(found: Explanation, width: int, style: Style = plain) -> Iterator[str]:
    """Yield the lines of an explanation, none wider than `width` unless a word is."""
    for step in found.steps:
        yield from _step(step, found, width, style)
    if found.measured:
        yield ""
        yield from _gutter(found, width, style)


def _step(step: Step, found: Explanation, width: int, style: Style) -> Iterator[str]:
    number = f"{step.number:>2} "
    read = f" <- {', '.join(map(str, step.reads))}" if step.reads else ""
    line = found.line(step)
    place = f"  (line {line})" if line is not None else ""
    tail = read + place
    if 4 + len(step.title) + len(tail) <= width:
        yield f"{style(number, 'number')} {style(step.title, 'title')}{style(tail, 'number')}"
    else:
        first, *rest = textwrap.wrap(step.title, max(width - 4, 16))
        yield f"{style(number, 'number')} {style(first, 'title')}"
        yield from (f"    {style(more, 'title')}" for more in rest)
        yield f"    {style(tail.strip(), 'number')}"
    facts = [*step.facts, *_of_run(step.measured)]
    label_width = max((len(label) for label, _ in facts), default=0)
    room = max(width - label_width - 6, 16)
    for label, text in facts:
        lines = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
        yield f"    {style(label.ljust(label_width), 'label')}  {lines[0]}"
        for more in lines[1:]:
            yield f"    {' ' * label_width}  {more}"


def _of_run(measured: Measured | None) -> Iterator[tuple[str, str]]:
    if measured is None:
        return
    yield "rows", f"{measured.rows_in:,} in, {measured.rows_out:,} out"
    if measured.seconds:
        yield "time", f"{_time(measured.seconds)} (CPU {_time(measured.cpu_seconds)})"
    if measured.state_bytes:
        yield "state", f"{_bytes(measured.state_bytes)} at most"


def _gutter(found: Explanation, width: int, style: Style) -> Iterator[str]:
    """Yield the query with the rows that leave each line's steps, and the time they take."""
    by_line = with_lines(found)
    head = f"{'rows out':>11} {'time':>8} | query"
    yield style(head, "label")
    for number, line in enumerate(found.text.splitlines(), 1):
        steps = [s for s in by_line.get(number, ()) if s.measured is not None]
        rows = seconds = ""
        if steps:
            rows = f"{steps[-1].measured.rows_out:,}" if steps[-1].measured else ""
            total = sum(s.measured.seconds for s in steps if s.measured)
            seconds = _time(total) if total else ""
        shown, room = line.expandtabs(4), max(width - 23, 16)
        shown = shown if len(shown) <= room else shown[: room - 1] + "…"
        yield f"{style(f'{rows:>11} {seconds:>8}', 'number')} | {shown}".rstrip()


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _bytes(size: int) -> str:
    for unit, count in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= count:
            return f"{size / count:.1f} {unit}"
    return f"{size} bytes"
