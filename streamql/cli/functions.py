"""`streamql functions`: what can be called in a query, and how."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from .report import width_of
from .try_function import test_command

if TYPE_CHECKING:
    from ..functions.documented import Entry

_EPILOG = """\b
Examples:
  streamql functions
  streamql functions DATEADD
  streamql functions test gross --functions functions --args '[10.5, "EUR"]'
"""


class _NamedOrTest(click.Group):
    """A group whose first word may be the name of a function."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return args[0], _show, args


@click.group(
    "functions",
    cls=_NamedOrTest,
    invoke_without_command=True,
    subcommand_metavar="[NAME | test ALIAS [ARGS]...]",
    epilog=_EPILOG,
    short_help="List the functions, show one, or try one of yours.",
)
@click.pass_context
def functions_command(ctx: click.Context) -> None:
    """List functions, aggregates and operators, or show the one called NAME with its examples."""
    from ..functions.documented import entries

    if ctx.invoked_subcommand is None:
        click.echo(listing(entries(), width_of(sys.stdout)))


functions_command.add_command(test_command)


@click.command("NAME")
@click.argument("name")
def _show(name: str) -> None:
    """Show the function NAME with its examples."""
    from ..errors import UsageError, suggest
    from ..functions.documented import entries

    known = {entry.name.lower(): entry for entry in entries()}
    found = known.get(name.lower())
    if found is None:
        hint = suggest(name, [e.name for e in known.values()]) or "streamql functions lists them"
        raise UsageError(f"no built-in function {name}", hint=hint)
    click.echo(page(found, width_of(sys.stdout)))


def listing(entries: Iterable[Entry], width: int | None = None) -> str:
    """Return all functions by family: the first signature, and the first sentence.

    What is longer than `width` goes on in the next line.
    """
    lines: list[str] = []
    family = ""
    for entry in entries:
        if entry.family != family:
            family = entry.family
            lines += ["", family] if lines else [family]
        lines += _wrapped(_short(entry), width, "  ", " " * 10)
        lines += _wrapped(entry.text.split("\n", 1)[0], width, " " * 6)
    return "\n".join(lines)


def page(entry: Entry, width: int | None = None) -> str:
    """Return one function with its signatures, its documentation and its examples."""
    lines = [line for usage in entry.usages for line in _wrapped(usage, width, "", "    ")]
    lines += ["", *(part for line in entry.text.split("\n") for part in _wrapped(line, width))]
    for call, value in entry.calls:
        lines += ["", f"sql> {call}", value]
    if entry.example is not None:
        query, rows, expected = entry.example
        lines += ["", *(f"sql> {line}" for line in query.split("\n"))]
        lines += [f"  in   {json.dumps(row, ensure_ascii=False)}" for row in rows]
        lines += [f"  out  {json.dumps(row, ensure_ascii=False)}" for row in expected]
    return "\n".join(lines)


def _wrapped(
    text: str, width: int | None, indent: str = "", further: str | None = None
) -> list[str]:
    """Return a text as lines that begin with an indent, `further` ones with their own."""
    if width is None or len(indent) + len(text) <= width:
        return [indent + text]
    further = indent if further is None else further
    return textwrap.wrap(
        text,
        max(width, 30),
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(entry: Entry) -> str:
    """Return the first signature, and how many more there are."""
    first, *more = entry.usages
    return f"{first}  (+{len(more)})" if more else first
