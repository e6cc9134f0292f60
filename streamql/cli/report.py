"""What a person sees when something went wrong, and the exit code that says so."""

from __future__ import annotations

import contextlib
import os
import sys

import click

QUERY = "streamql.query"
"""The key in a click context's `meta` under which a command leaves the query's text."""

INTERRUPTED = 130
DEFECT = 70


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

        say("".join(traceback.format_exception(error)).rstrip(), ctx)
    if isinstance(error, KeyboardInterrupt):
        say("interrupted", ctx)
        return INTERRUPTED
    if isinstance(error, StreamqlError):
        say(coloured(render(error, ctx.meta.get(QUERY))), ctx)
        return error.exit_code
    say(coloured(f"error: a defect of streamql: {type(error).__name__}: {error}"), ctx)
    say(coloured("hint: please report it, with the output of a run with STREAMQL_DEBUG=1"), ctx)
    return DEFECT


def say(message: str, ctx: click.Context) -> None:
    """Write a line to standard error; colours only where a terminal shows them."""
    with contextlib.suppress(OSError):  # nobody reads standard error: nothing can be told
        click.echo(message, err=True, color=ctx.find_root().color)


def coloured(message: str) -> str:
    """Return the message with its `error:` and `hint:` in colour."""
    colours = {"error:": "red", "hint:": "cyan"}
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
