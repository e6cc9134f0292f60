"""Rows as text: a table that fits the terminal, or one field a line where none would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from ...python_values import dump
from ...types import DATETIME_MARK

_GAP = "  "
_SPARE = 20
"""Cells that a column has at least, if there is room, where more rows are to come."""
_LEAST = 6
"""Cells that a column keeps when others need room; a shorter one keeps what it has."""

Row = dict[str, Any]


class Table:
    """Rows below one head. The first rows settle how wide the columns are.

    `more` rows are to come that nobody has seen yet: columns get room for them.
    """

    def __init__(
        self, rows: Sequence[Row], width: int, *, color: bool = False, more: bool = False
    ) -> None:
        self.names = list(dict.fromkeys(name for row in rows for name in row))
        self._width = width
        self._color = color
        self._right = [_is_numeric([row.get(name) for row in rows]) for name in self.names]
        cells = [[cell(row, name) for name in self.names] for row in rows]
        wanted = [
            max([cell_len(one_line(name)), *(cell_len(line[at]) for line in cells)])
            for at, name in enumerate(self.names)
        ]
        if more:
            wanted = [max(cells, _SPARE) for cells in wanted]
        self.widths = fitted(wanted, width - len(_GAP) * (len(wanted) - 1))

    @property
    def upright(self) -> bool:
        """Whether there are too many columns for lines: each field has a line of its own."""
        return self.widths is None

    def fits(self, rows: Sequence[Row]) -> bool:
        """Tell whether rows have no other columns than the head has."""
        return all(name in self.names for row in rows for name in row)

    def head(self) -> str:
        """Return the names of the columns, and a line below them."""
        if self.widths is None:
            return ""
        names = self._line([one_line(n) for n in self.names])
        rule = _GAP.join("-" * width for width in self.widths)
        return f"{self._style(names, bold=True)}\n{self._style(rule, dim=True)}"

    def lines(self, rows: Sequence[Row]) -> list[str]:
        """Return the rows as text, each without a line end."""
        if self.widths is None:
            return [self._upright(row) for row in rows]
        return [self._line([cell(row, n) for n in self.names], row) for row in rows]

    def _line(self, cells: Sequence[str], row: Row | None = None) -> str:
        assert self.widths is not None
        parts = []
        for at, (text, width) in enumerate(zip(cells, self.widths, strict=True)):
            short = cut(text, width)
            blank = " " * (width - cell_len(short))
            null = row is not None and self.names[at] in row and row[self.names[at]] is None
            shown = self._style(short, dim=True) if null else short
            parts.append(blank + shown if self._right[at] else shown + blank)
        return _GAP.join(parts).rstrip()

    def _upright(self, row: Row) -> str:
        """Return a row with a line for each field, and an empty one behind it."""
        left = min(max((cell_len(one_line(n)) for n in row), default=0), self._width // 2)
        room = max(1, self._width - left - len(_GAP))
        lines = []
        for name in row:
            head = self._style(set_cell_size(cut(one_line(name), left), left), bold=True)
            lines.append(f"{head}{_GAP}{cut(cell(row, name), room)}".rstrip())
        return "\n".join([*lines, ""])

    def _style(self, text: str, **style: bool) -> str:
        return click.style(text, **style) if self._color else text  # type: ignore[arg-type]


def fitted(wanted: Sequence[int], room: int) -> list[int] | None:
    """Return widths that add up to `room` at most, taken from the widest; None if none do."""
    widths = list(wanted)
    least = [min(width, _LEAST) for width in widths]
    if sum(least) > room:
        return None
    while (over := sum(widths) - room) > 0:
        widest = max(widths)
        there = [at for at, width in enumerate(widths) if width == widest]
        next_widest = max([w for w in widths if w < widest], default=0)
        each = max(1, min(widest - next_widest, over // len(there)))
        for at in there[: max(1, over // each)]:
            widths[at] = max(least[at], widths[at] - each)
    return widths


def cell(row: Row, name: str) -> str:
    """Return a value on one line: NULL where it is null, nothing where it is absent."""
    if name not in row:
        return ""
    value = row[name]
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return one_line(value)
    text = dump(value).replace(DATETIME_MARK, "")
    return text[1:-1] if text.startswith('"') else text


def one_line(text: str) -> str:
    """Return a text with control characters written out: a table has one line a row."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, width: int) -> str:
    """Return a text in at most so many cells, with a sign where something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [v for v in values if v is not None]
    return bool(known) and all(isinstance(v, int | float) and v is not True for v in known)
