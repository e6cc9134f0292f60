"""What a person should see of a case that failed: which rows differ, and in which columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import render
from .compare import Difference, Misfit, Row
from .execution import Outcome

_MOST = 10
"""Rows of a kind that are shown of an output."""
_ELLIPSIS = "…"
_LEAST = 12
"""Characters that a value keeps, however narrow the terminal is."""


@dataclass(frozen=True)
class Line:
    """A line of a report. `mark` is `-` for what was expected, `+` for what was found, or empty."""

    text: str
    mark: str = ""


def failure_lines(outcome: Outcome, width: int | None = None) -> list[Line]:
    """Return what is wrong with an outcome; nothing if it passed.

    No line is longer than `width`; None: lines are as long as they are.
    """
    lines: list[Line] = []
    if outcome.error is not None:
        text = render(outcome.error, outcome.case.script, width and width - 2)
        lines += [Line(f"  {line}") for line in text.split("\n")]
        if outcome.wanted_error is not None:
            lines.append(Line(f"  a {outcome.wanted_error} error was expected"))
    elif outcome.wanted_error is not None:
        lines.append(Line(f"  it ran, a {outcome.wanted_error} error was expected"))
    for name, difference in outcome.differences.items():
        lines.append(Line(f"  output {name}: {_counted(difference)}"))
        lines += _rows(difference, width)
    for name in outcome.unexpected:
        rows = outcome.rows[name]
        lines.append(Line(f"  output {name} is not expected: {_count(len(rows), 'row')}"))
        lines += _listed("+", tuple(rows), width)
    return lines


def _counted(difference: Difference) -> str:
    if difference.misplaced is not None:
        place = difference.misplaced
        return f"the rows are the expected ones in another order, from row {place} on"
    parts = []
    if difference.misfits:
        count = len(difference.misfits)
        parts.append(f"{_count(count, 'row')} differ{'s' if count == 1 else ''}")
    if difference.missing:
        parts.append(f"{len(difference.missing):,} missing")
    if difference.unexpected:
        parts.append(f"{len(difference.unexpected):,} not expected")
    expected, found = difference.counts
    return f"{', '.join(parts)} ({expected:,} expected, {found:,} found)"


def _rows(difference: Difference, width: int | None) -> Iterator[Line]:
    for misfit in difference.misfits[:_MOST]:
        yield from _misfit(misfit, width)
    yield from _more(len(difference.misfits), "differ")
    yield from _listed("-", difference.missing, width)
    yield from _listed("+", difference.unexpected, width)


def _misfit(misfit: Misfit, width: int | None) -> Iterator[Line]:
    equal = [n for n in misfit.expected if n in misfit.found and n not in misfit.columns]
    known = ", ".join(f"{name} {_text(misfit.found[name])}" for name in equal)
    yield Line(_cut(f"    where {known}" if known else "    a row", width))
    names = [_cut(name, None if width is None else width // 4) for name in misfit.columns]
    head = max(len(name) for name in names)
    room = None if width is None else max(_LEAST, width - head - 18)
    for name, column in zip(names, misfit.columns, strict=True):
        pair = _text(misfit.expected.get(column)), _text(misfit.found.get(column))
        expected, found = _from_difference(*pair, room)
        yield Line(f"    - {name:<{head}}  expected {expected}", "-")
        yield Line(f"    + {name:<{head}}  found    {found}", "+")


def _listed(mark: str, rows: tuple[Row, ...], width: int | None) -> Iterator[Line]:
    for row in rows[:_MOST]:
        yield Line(_cut(f"    {mark} {_text(row)}", width), mark)
    yield from _more(len(rows), "are missing" if mark == "-" else "are not expected")


def _more(count: int, what: str) -> Iterator[Line]:
    if count > _MOST:
        yield Line(f"    {count - _MOST:,} more {what}")


def _from_difference(left: str, right: str, room: int | None) -> tuple[str, str]:
    """Cut two texts so that where they begin to differ can be seen."""
    if room is None or max(len(left), len(right)) <= room:
        return left, right
    same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), 0)
    start = max(0, same - room // 3)
    if start:
        left, right = _ELLIPSIS + left[start:], _ELLIPSIS + right[start:]
    return _cut(left, room), _cut(right, room)


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: width - 1] + _ELLIPSIS


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
