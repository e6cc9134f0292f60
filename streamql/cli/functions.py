"""`streamql functions`: what can be called in a query, and how."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..functions.documented import Entry

_EPILOG = """\b
Examples:
  streamql functions
  streamql functions DATEADD
"""


@click.command("functions", epilog=_EPILOG, short_help="List the functions, or show one.")
@click.argument("name", required=False)
def functions_command(name: str | None) -> None:
    """List functions, aggregates and operators, or show the one called NAME with its examples."""
    from ..errors import UsageError, suggest
    from ..functions.documented import entries

    known = {entry.name.lower(): entry for entry in entries()}
    if name is None:
        click.echo(listing(known.values()))
        return
    found = known.get(name.lower())
    if found is None:
        hint = suggest(name, [e.name for e in known.values()]) or "streamql functions lists them"
        raise UsageError(f"no built-in function {name}", hint=hint)
    click.echo(page(found))


def listing(entries: Iterable[Entry]) -> str:
    """Return all functions by family: the first signature, and the first sentence."""
    lines: list[str] = []
    family = ""
    for entry in entries:
        if entry.family != family:
            family = entry.family
            lines += ["", family] if lines else [family]
        lines.append(f"  {_short(entry)}\n      {entry.text.split(chr(10), 1)[0]}")
    return "\n".join(lines)


def page(entry: Entry) -> str:
    """Return one function with its signatures, its documentation and its examples."""
    lines = [*entry.usages, "", entry.text]
    for call, value in entry.calls:
        lines += ["", f"sql> {call}", value]
    if entry.example is not None:
        query, rows, expected = entry.example
        lines += ["", *(f"sql> {line}" for line in query.split("\n"))]
        lines += [f"  in   {json.dumps(row, ensure_ascii=False)}" for row in rows]
        lines += [f"  out  {json.dumps(row, ensure_ascii=False)}" for row in expected]
    return "\n".join(lines)


def _short(entry: Entry) -> str:
    """Return the first signature, and how many more there are."""
    first, *more = entry.usages
    return f"{first}  (+{len(more)})" if more else first
