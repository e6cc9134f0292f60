"""What a person sees when something went wrong, and the exit code that says so."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import Any, TextIO

import click

QUERY = "streamql.query"
"""The key in a click context's `meta` under which a command leaves the query's text."""

LOG = "streamql.log"
"""The key under which it leaves a `logs.Log`, where things are not said as usual."""

INTERRUPTED = 130
DEFECT = 70
_REPORT = "please report it, with the output of a run with STREAMQL_DEBUG=1"


def exit_code_of(error: BaseException, ctx: click.Context) -> int:
    """Tell standard error about the error and return the exit code.

    A closed standard output (`| head -1`) is no error: the reader has what it wanted.
    """
    from ..errors import StreamqlError, render

    if _is_closed_pipe(error):
        _let_go_of_stdout()
        return 0
    if os.environ.get("STREAMQL_DEBUG") == "1":
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), ctx, "error")
    if isinstance(error, KeyboardInterrupt):
        say("interrupted", ctx, "warning", exit_code=INTERRUPTED)
        return INTERRUPTED
    if LOG in ctx.meta and ctx.meta[LOG].structured:
        return _logged_error(error, ctx)
    if isinstance(error, StreamqlError):
        text = render(error, ctx.meta.get(QUERY), width_of(sys.stderr))
        say(coloured(text), ctx, "error")
        return error.exit_code
    say(coloured(f"error: a defect of streamql: {type(error).__name__}: {error}"), ctx, "error")
    say(coloured(f"hint: {_REPORT}"), ctx, "error")
    return DEFECT


def told_usage(error: click.UsageError, ctx: click.Context) -> int:
    """Tell of a mistake on the command line that click has found, as of all others."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show()
        return error.exit_code
    near = getattr(error, "possibilities", None) or ()
    text = error.message if near else error.format_message()
    text = text.strip().rstrip(".")
    say(coloured(f"error: {text[:1].lower()}{text[1:]}"), ctx, "error")
    inner = f"{ctx.command_path} {ctx.invoked_subcommand or ''}".rstrip()
    command = error.ctx.command_path if error.ctx is not None else inner
    hint = f"did you mean {' or '.join(sorted(near))}?" if near else f"{command} --help tells more"
    say(coloured(f"hint: {hint}"), ctx, "error")
    return error.exit_code


def _logged_error(error: BaseException, ctx: click.Context) -> int:
    """Say an error with its parts as fields."""
    from ..errors import StreamqlError, place

    if not isinstance(error, StreamqlError):
        message = f"a defect of streamql: {type(error).__name__}: {error}"
        say(message, ctx, "error", hint=_REPORT, exit_code=DEFECT)
        return DEFECT
    fields = {"event": getattr(error, "event", None), "hint": error.hint}
    query = ctx.meta.get(QUERY)
    if error.span is not None and query is not None:
        fields["line"], fields["column"] = place(query, error.span.start)
    kind = type(error).__name__
    say(error.message, ctx, "error", error=kind, exit_code=error.exit_code, **fields)
    return error.exit_code


def say(message: str, ctx: click.Context, level: str = "info", **fields: Any) -> None:
    """Write a line to standard error; colours only where a terminal shows them.

    As `--log-format` and `--log-level` say, if the command has them; `fields` are for JSON.
    """
    log = ctx.meta.get(LOG)
    if log is not None:
        line: str | None = log.line(message, level, fields)
        if line is None:
            return
        message = line
    with contextlib.suppress(OSError):  # nobody reads standard error: nothing can be told
        click.echo(message, err=True, color=ctx.find_root().color)


def warn(message: str, ctx: click.Context, hint: str | None = None) -> None:
    """Say that something needs a person, and what could be done."""
    if LOG in ctx.meta and ctx.meta[LOG].structured:
        say(message, ctx, "warning", **({} if hint is None else {"hint": hint}))
        return
    say(coloured(f"warning: {message}"), ctx, "warning")
    if hint is not None:
        say(coloured(f"hint: {hint}"), ctx, "warning")


def width_of(stream: TextIO) -> int | None:
    """Return how wide what is written there may be; None where nobody knows, as in a pipe."""
    if stream.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def coloured(message: str) -> str:
    """Return the message with its `error:`, `warning:` and `hint:` in colour."""
    colours = {"error:": "red", "warning:": "yellow", "hint:": "cyan"}
    lines = []
    for line in message.split("\n"):
        word, _, rest = line.partition(" ")
        colour = colours.get(word)
        lines.append(f"{click.style(word, fg=colour, bold=True)} {rest}" if colour else line)
    return "\n".join(lines)


def _is_closed_pipe(error: BaseException) -> bool:
    from ..errors import OutputError

    if isinstance(error, OutputError):
        from ..connectors.filesink import ClosedPipe

        return isinstance(error, ClosedPipe)
    return isinstance(error, BrokenPipeError)


def _let_go_of_stdout() -> None:
    """Point standard output to nowhere, so that flushing it at exit does not fail once more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
