"""`streamql functions`: what can be called in a query, and how."""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..functions.registry import ScalarFunction

_EPILOG = """\b
Examples:
  streamql functions
  streamql functions DATEADD
"""


@click.command("functions", epilog=_EPILOG, short_help="List the built-in functions, or show one.")
@click.argument("name", required=False)
def functions_command(name: str | None) -> None:
    """List the built-in functions, or show the one called NAME with its examples."""
    from ..errors import UsageError, suggest

    known = {f.name.lower(): f for f in _functions()}
    if name is None:
        click.echo(listing(known.values()))
        return
    found = known.get(name.lower())
    if found is None:
        hint = suggest(name, [f.name for f in known.values()]) or "streamql functions lists them"
        raise UsageError(f"no built-in function {name}", hint=hint)
    click.echo(page(found))


def listing(functions: Iterable[ScalarFunction]) -> str:
    """Return all functions by family: signature and first sentence."""
    lines: list[str] = []
    family = ""
    for function in functions:
        if function.family != family:
            family = function.family
            lines += ["", family] if lines else [family]
        sentence = cleandoc(function.documentation).split("\n", 1)[0]
        lines.append(f"  {_short(function)}\n      {sentence}")
    return "\n".join(lines)


def page(function: ScalarFunction) -> str:
    """Return one function with all its signatures and its documentation."""
    return "\n".join([*function.signatures(), "", cleandoc(function.documentation)])


def _short(function: ScalarFunction) -> str:
    """Return the first signature, and how many more there are."""
    first, *more = function.signatures()
    return f"{first}  (+{len(more)})" if more else first


def _functions() -> list[ScalarFunction]:
    """Return the built-in functions that have a name, family by family."""
    from dataclasses import replace

    from ..functions.builtins import BUILTINS
    from ..functions.datetime import UNIT_FUNCTIONS, unit_function
    from ..functions.registry import ScalarFunction

    units = [unit_function(name, "day") for name in UNIT_FUNCTIONS]
    found: dict[str, list[ScalarFunction]] = {}
    for function in (*BUILTINS.values(), *units):
        if isinstance(function, ScalarFunction) and re.fullmatch(r"\w+", function.name):
            if function in units:
                function = replace(function, words=("UNIT",))
            if function.infix is None:
                found.setdefault(function.family, []).append(function)
    return [function for family in found.values() for function in family]
