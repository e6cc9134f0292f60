"""`streamql functions test`: call a function of the user with values from the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import console_shown

if TYPE_CHECKING:
    from ..column import Column
    from ..functions.aggregate import AggregateSpec
    from ..functions.registry import Function

_SETTINGS_FILE = Path("streamql.toml")
_FOLDER = Path("functions")
_EPILOG = """\b
Examples:
  streamql functions test gross --functions functions --args '[10.5, "EUR"]'
  streamql functions test gross --function gross=gross.js \\
      --args '[1]' --args '[null]'
  streamql functions test median --functions functions --args '[3, 1, 2]'
"""


@click.command("test", epilog=_EPILOG, short_help="Call a function of yours.")
@click.argument("alias")
@click.option(
    "--args",
    "calls",
    multiple=True,
    metavar="JSON",
    help="The arguments of a call, or the values that an aggregate gets, as a JSON array.",
)
@click.option(
    "--functions",
    "folders",
    multiple=True,
    metavar="DIR",
    help="A folder of functions, as in `streamql run`.  [default: functions, if there is nothing]",
)
@click.option(
    "--function",
    "functions",
    multiple=True,
    metavar="ALIAS=SPEC",
    help="A function, as in `streamql run`.",
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting.")
@click.pass_context
def test_command(
    ctx: click.Context,
    alias: str,
    calls: tuple[str, ...],
    folders: tuple[str, ...],
    functions: tuple[str, ...],
    settings: tuple[str, ...],
) -> None:
    """Call udf.ALIAS, or uda.ALIAS with a list of values, and print each result and its SQL type.

    The values of an aggregate come one second after the other, from 1970 on.
    """
    from ..settings import Settings
    from ..udf.catalog import Functions
    from . import arguments
    from .report import say

    rows = [_values(text) for text in calls or ("[]",)]
    if not folders and not functions and _FOLDER.is_dir():
        folders = (str(_FOLDER),)
    given = arguments.pairs("--set", "KEY=VALUE", settings)
    known = Functions(
        Settings.load(_SETTINGS_FILE, os.environ, given),
        lambda text: say(f"warning: {text}", ctx),
    )
    try:
        with console_shown(ctx):
            for folder in map(arguments.here, folders):
                known.add_directory(Path(folder))
            for name, spec in arguments.functions(functions).items():
                known.add_spec(name, spec)
            found = _named(known.by_alias(), known.aggregates(), alias)
            for number, values in enumerate(rows, 1):
                click.echo(_shown(_result(found, values, number)))
    finally:
        known.close()


def _values(text: str) -> list[Any]:
    from ..errors import UsageError
    from .arguments import no_json

    try:
        found = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise no_json("--args", text, error) from None
    except ValueError as error:
        raise UsageError(
            f"--args {text} is not JSON: {error}", hint="write --args '[1, \"a\"]'"
        ) from None
    if not isinstance(found, list):
        raise UsageError(
            f"--args {text} is not a JSON array", hint=f"write --args '[{text}]' for one argument"
        )
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no value of JSON")


def _named(
    functions: dict[str, Function], aggregates: dict[str, AggregateSpec], alias: str
) -> Function | AggregateSpec:
    from ..errors import UsageError, suggest

    prefix, _, name = alias.rpartition(".")
    found = functions.get(name.lower()) or aggregates.get(name.lower())
    if found is None or prefix.lower() not in ("", "udf", "uda"):
        names = [f.name for f in functions.values()]
        names += [spec.name.rpartition(".")[2] for spec in aggregates.values()]
        hint = suggest(name, names)
        if hint is None and names:
            hint = "there is " + ", ".join(sorted(names)[:8])
        raise UsageError(
            f"there is no function {alias}",
            hint=hint or f"give it with --functions DIR or --function {alias}=FILE.js",
        )
    if getattr(found, "remote", False):
        raise UsageError(
            f"{alias} is behind a URL, and is called with batches of rows",
            hint="streamql model probe URL shows what it takes",
        )
    return found


def _result(found: Function | AggregateSpec, values: list[Any], number: int) -> Column:
    """Return a column with the result of the call with this number."""
    import numpy as np
    import pyarrow as pa

    from ..column import Column, from_values
    from ..errors import Span, UsageError
    from ..functions.aggregate import AggregateSpec, Signature
    from ..grouping.ranges import Ranges
    from ..instants import TICKS_PER_SECOND
    from ..types import Type

    here = Span(0, 0)
    try:
        columns = [from_values([value]) for value in values]
        column = from_values(values)
    except (OverflowError, pa.ArrowInvalid) as error:
        raise UsageError(f"--args: {error}") from None
    if isinstance(found, AggregateSpec):
        signature = Signature((), (column.type,), (), (), False, here, (here,))
        times = np.arange(len(values)) * TICKS_PER_SECOND
        ranges = Ranges(np.array([0]), np.array([len(values)]))
        return found.make(signature).over([column], times, ranges)
    found.check([c.type for c in columns], here, [here] * len(columns))
    if found.by_event:
        columns.append(Column(Type.DATETIME, pa.array([0], pa.int64())))
        columns.append(Column(Type.BIGINT, pa.array([number], pa.int64())))
    return found.call(columns, 1)


def _shown(column: Column) -> str:
    """Return the value as JSON and its type."""
    text = column.to_json(marked=False)[0].as_py()
    (_, only), *_ = column.parts()
    return f"{'null' if text is None else text}  {only.type}"
