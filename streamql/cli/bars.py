"""Bars of characters: what a plot is on a terminal, and in a file that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Series:
    """Values of one kind, each with the text that stands behind its bar ("" and 0: none)."""

    title: str
    values: Sequence[float]
    texts: Sequence[str]


def bars(
    head: str, labels: Sequence[str], series: Sequence[Series], width: int, *, plain: bool = False
) -> list[str]:
    """Return lines of at most `width` characters: a label, then the bar of each series.

    The first line has the `head` of the labels and the titles of the series.
    Each series has a scale of its own, from 0 to its greatest value. Where there is no room for
    all of them side by side, they stand below each other. `plain` uses no characters beyond ASCII.
    """
    margin = max(len(label) for label in (head, *labels))
    need = [max(len(text) for text in (*one.texts, one.title)) + 6 for one in series]
    if margin + sum(need) + 2 * len(series) > width and len(series) > 1:
        return [
            line
            for number, one in enumerate(series)
            for line in ([""] if number else []) + bars(head, labels, [one], width, plain=plain)
        ]
    room = (width - margin - 2 * len(series)) // len(series)
    lines = ["  ".join([head.rjust(margin), *(one.title.ljust(room) for one in series)]).rstrip()]
    for row, label in enumerate(labels):
        cells = [_cell(one, row, room, plain).ljust(room) for one in series]
        lines.append("  ".join([label.rjust(margin), *cells]).rstrip())
    return lines


def _cell(series: Series, row: int, room: int, plain: bool) -> str:
    text = series.texts[row]
    longest = max(1, room - max(map(len, series.texts)) - 1)
    most = max(series.values)
    eighths = round(8 * longest * series.values[row] / most) if most > 0 else 0
    if series.values[row] > 0:
        eighths = max(1, eighths)
    whole, part = divmod(eighths, 8)
    bar = "#" * max(whole, eighths > 0) if plain else "█" * whole + _EIGHTHS[part].strip()
    return f"{bar} {text}".strip()
