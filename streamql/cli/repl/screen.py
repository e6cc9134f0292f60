"""Where rows of a running query go: kept for a table, or shown as they come."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

import click

from .table import Row, Table

_PIPE_WIDTH = 120


class EnoughError(Exception):
    """All outputs have shown as many rows as were asked for."""


class Screen:
    """Shows the rows of one query.

    Args:
        outputs: the names of its outputs.
        limit: the most rows of each output to show; 0 for all of them.
        live: rows are shown as they come, since the end may never come; else at the end, as a
            table as wide as its rows need.
        color: whether colours are understood; None: on a terminal they are.
    """

    def __init__(
        self, outputs: Sequence[str], limit: int, live: bool, color: bool | None = None
    ) -> None:
        self._names = list(outputs)
        self._limit = limit
        self._live = live
        self._color = bool(color) if color is not None else sys.stdout.isatty()
        self._rows: dict[str, list[Row]] = {name: [] for name in outputs}
        self._counts = dict.fromkeys(outputs, 0)
        self._table: Table | None = None
        self._last = ""

    def take(self, output: str, rows: list[Row]) -> None:
        """Take rows of an output. Raises EnoughError when no more are wanted of any."""
        room = len(rows) if self._limit == 0 else self._limit - self._counts[output]
        more = rows[: max(0, room)]
        self._counts[output] += len(rows)
        if self._live:
            self._show(output, more)
        else:
            self._rows[output] += more
        if self._limit and min(self._counts.values()) > self._limit:
            raise EnoughError

    def end(self) -> None:
        """Show what was kept."""
        for output in self._names:
            rows, self._rows[output] = self._rows[output], []
            if rows:
                self._show(output, rows)

    def counts(self, whole: bool) -> str:
        """Return how many rows there were; `whole`: the query came to its end."""
        parts = []
        for name in self._names:
            count = self._counts[name]
            shown = count if self._limit == 0 else min(count, self._limit)
            text = f"{count:,} row{'' if count == 1 else 's'}"
            if shown < count:
                text = (
                    f"the first {shown:,} of {text}"
                    if whole
                    else f"the first {'row' if shown == 1 else f'{shown:,} rows'}"
                )
            parts.append(text if len(self._names) == 1 else f"{name}: {text}")
        return ", ".join(parts)

    def _show(self, output: str, rows: list[Row]) -> None:
        if not rows:
            return
        if self._table is None or self._last != output or not self._table.fits(rows):
            if len(self._names) > 1:
                click.echo(f"{output}:")
            width = shutil.get_terminal_size((_PIPE_WIDTH, 24)).columns
            self._table = Table(rows, width, color=self._color, more=self._live)
            self._last = output
            if not self._table.upright:
                click.echo(self._table.head())
        for line in self._table.lines(rows):
            click.echo(line)
