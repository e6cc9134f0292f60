"""What JavaScript functions say to `console`, on standard error."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from .logs import level_of
from .report import say

_LOGGER = logging.getLogger("streamql.javascript")


class _Lines(logging.Handler):
    """Writes each message as a line."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__()
        self._ctx = ctx

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), self._ctx, level_of(record.levelno))


@contextmanager
def console_shown(ctx: click.Context, quiet: bool = False) -> Iterator[None]:
    """Show what functions say with `console.log`, `warn` and `error`; with `quiet` not `log`."""
    lines, before = _Lines(ctx), _LOGGER.level
    _LOGGER.addHandler(lines)
    _LOGGER.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        _LOGGER.removeHandler(lines)
        _LOGGER.setLevel(before)
