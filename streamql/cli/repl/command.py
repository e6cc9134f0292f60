"""The command: where the lines come from, and what becomes of each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from ..flags import QueryFlags, prepared, query_flags

_ANY = "SELECT * FROM input"
"""What an input without a name is for, where no query says it."""

_EPILOG = """\b
Examples:
  streamql repl --input rides=rides.jsonl
  streamql repl query.sql --input events.jsonl --functions functions
  echo "SELECT COUNT(*) AS n FROM rides GROUP BY TumblingWindow(hour, 1);" |
      streamql repl --input rides=rides.jsonl

A query ends with a semicolon. Lines that begin with a dot are commands: .help lists them.
"""


@click.command("repl", epilog=_EPILOG, short_help="Type queries, see rows.")
@query_flags()
@click.pass_context
def repl_command(ctx: click.Context, flags: QueryFlags) -> None:
    """Read queries from the terminal, or from a pipe, and show their rows as tables.

    The query of QUERY_FILE, if there is one, is run first.
    """
    from ..console import console_shown
    from .session import Session

    with prepared(ctx, flags, needs_query=False) as at, console_shown(ctx):
        if at.only_input is not None:
            at.engine.register_only(at.script or _ANY, at.only_input)
        session = Session(at.engine, ctx)
        code = session.submit(at.script) if at.script else 0
        if sys.stdin.isatty():
            from .prompt import converse

            converse(session)
        elif code == 0:
            code = session.run_all(_lines(sys.stdin.buffer))
        ctx.exit(code if not sys.stdin.isatty() else 0)


def _lines(stream: Iterable[bytes]) -> Iterator[str]:
    """Yield the lines of a pipe. Raises UsageError for what is no text."""
    from ...errors import UsageError

    for number, line in enumerate(stream, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"line {number:,} of standard input is not UTF-8 text (byte {error.start + 1})",
                hint="save it as UTF-8",
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text
