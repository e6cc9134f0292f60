"""What a run says on standard error, for people as lines, or as JSON for those who collect logs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from .report import LOG, say

LEVELS = ("debug", "info", "warning", "error")
_FUNCTION = re.compile(r"(ud[fa]\.\w+)\b")


@dataclass(frozen=True)
class Log:
    """How things are said, and from which level on."""

    structured: bool = False
    level: str = "info"

    def line(self, message: str, level: str, fields: dict[str, Any]) -> str | None:
        """Return what is to be written; None for what is not important enough."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return None
        if not self.structured:
            return message
        function = _FUNCTION.match(message)
        if function is not None:
            fields = {"function": function[1], **fields}
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {name: value for name, value in fields.items() if value is not None}
        head = {"time": time, "level": level, "message": click.unstyle(message)}
        return json.dumps({**head, **known}, ensure_ascii=False, default=str)


def log_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags `--log-format` and `--log-level`."""
    command = click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        default="info",
        show_default=True,
        help="The least important that is told on standard error.",
    )(command)
    return click.option(
        "--log-format",
        type=click.Choice(("text", "json")),
        default="text",
        show_default=True,
        help="json: standard error has one object a line, with time, level and message.",
    )(command)


@contextmanager
def logged(ctx: click.Context, log_format: str, level: str) -> Iterator[Log]:
    """Have everything that a command says be said like this, until the command has ended.

    As JSON that includes what libraries tell Python's `logging`, and Python's warnings.
    """
    ctx.meta[LOG] = log = Log(log_format == "json", level)
    if not log.structured:
        yield log
        return
    root, handler = logging.getLogger(), _Others(ctx)
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield log
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)


class _Others(logging.Handler):
    """Says what libraries log; what functions say to `console` is said by its own handler."""

    def __init__(self, ctx: click.Context) -> None:
        super().__init__(logging.WARNING)
        self._ctx = ctx

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "streamql.javascript":
            message = record.getMessage().strip()
            say(message, self._ctx, level_of(record.levelno), logger=record.name)


def level_of(number: int) -> str:
    """Return the name of a level of Python's `logging`."""
    steps = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
    return next((name for least, name in steps if number >= least), "debug")
