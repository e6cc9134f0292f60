"""`streamql why`: what became of an event, or which events are behind a row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .flags import QueryFlags, prepared, query_flags

if TYPE_CHECKING:
    from ..engine import Engine
    from ..why.fates import Fate, Rows, Step
    from ..why.origins import Origins
    from ..why.runs import RowKey, Runs

_SHOWN = 5
"""Rows that are shown of each step."""
_EPILOG = """\b
Examples:
  streamql why query.sql --input rides.jsonl --input-row 17
  streamql why query.sql --input rides=rides.jsonl --input zones=zones.jsonl \\
      --input-row zones:3
  streamql why query.sql --input rides.jsonl --output-row alerts:1

The job is run several times, without some of its events: what changes is what they did. Rows and
events are counted from 1.
"""


@click.command("why", epilog=_EPILOG, short_help="Say what became of an event, or made a row.")
@query_flags()
@click.option("--input-row", metavar="[INPUT:]N", help="What became of event number N of an input.")
@click.option(
    "--output-row", metavar="[OUTPUT:]N", help="Which events are behind row number N of an output."
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="The most events to look for behind a row.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.pass_context
def why_command(
    ctx: click.Context,
    flags: QueryFlags,
    input_row: str | None,
    output_row: str | None,
    most: int,
    as_json: bool,
) -> None:
    """Explain one event or one row of the query in QUERY_FILE."""
    from ..errors import UsageError

    if (input_row is None) == (output_row is None):
        raise UsageError(
            "one of --input-row and --output-row is needed", hint="--input-row 17 of the input"
        )
    with prepared(ctx, flags, needs_data=True) as at:
        from ..why.runs import Runs

        if at.only_input is not None:
            at.engine.register_only(at.script, at.only_input)
        runs = Runs(at.engine, at.script)
        if input_row is not None:
            fate = _fate(at.engine, runs, at.script, input_row)
            click.echo(json.dumps(_fate_json(fate)) if as_json else "\n".join(fate_lines(fate)))
        elif output_row is not None:
            found, texts = _origins(at.engine, runs, output_row, most)
            shown = _origins_json(found, texts) if as_json else None
            click.echo(json.dumps(shown) if shown else "\n".join(origin_lines(found, texts)))


def _fate(engine: Engine, runs: Runs, script: str, text: str) -> Fate:
    from ..why.fates import fate_of

    name, number = _numbered("--input-row", text, runs.inputs)
    return fate_of(runs, script, name, number, engine.inputs.event(name, number))


def _origins(
    engine: Engine, runs: Runs, text: str, most: int
) -> tuple[Origins, dict[tuple[str, int], str]]:
    from ..errors import UsageError
    from ..why.origins import origins_of

    name, number = _numbered("--output-row", text, runs.outputs)
    rows = runs.rows({})[name]
    if number > len(rows):
        raise UsageError(f"{name} has {len(rows):,} rows, and number {number:,} is asked for")
    counts = {n: engine.inputs.count(n) for n in runs.inputs}
    found = origins_of(runs, name, rows[number - 1], counts, most)
    texts = {
        (o.input, o.first): engine.inputs.event(o.input, o.first)[0] or ""
        for o in found.events
        if o.first == o.last
    }
    return found, texts


def _numbered(flag: str, text: str, known: tuple[str, ...]) -> tuple[str, int]:
    """Return the name and the number of `[NAME:]N`. Raises UsageError."""
    from ..errors import UsageError, suggest

    name, _, number = text.rpartition(":")
    if not number.isdecimal() or int(number) < 1:
        raise UsageError(f"{flag} takes [NAME:]N with a number from 1, found {text!r}")
    if not name:
        if len(known) != 1:
            raise UsageError(
                f"{flag} {text}: of which one? there are {', '.join(known)}",
                hint=f"{flag} {known[0]}:{text}",
            )
        return known[0], int(number)
    by_lower = {k.lower(): k for k in known}
    if name.lower() not in by_lower:
        hint = suggest(name, known) or "there is " + ", ".join(known)
        raise UsageError(f"{flag}: there is no {name} in the query", hint=hint)
    return by_lower[name.lower()], int(number)


# -- text ---------------------------------------------------------------------------------------


def fate_lines(fate: Fate) -> Iterator[str]:
    """Yield what became of an event, line by line."""
    if fate.refused is not None:
        yield f"event {fate.event:,} of {fate.input} is malformed: {fate.refused}"
        return
    yield f"event {fate.event:,} of {fate.input}: {fate.row}"
    if not fate.fits:
        yield "  it does not fit what CREATE TABLE declares"
        return
    if fate.time is not None:
        yield f"  time: {fate.time}"
    for step in fate.steps:
        yield f"  {step.name}"
        yield from _step_lines(step)
    if not fate.outputs:
        yield "it changed no output"
    for output, (more, fewer) in fate.outputs.items():
        yield f"rows of {output} because of it (+), and without it (-):"
        yield from _changes(more, fewer, "  ")


def _step_lines(step: Step) -> Iterator[str]:
    if step.end is not None:
        for at, sentence in enumerate(step.end):
            yield f"    {'ends here: ' if at == 0 else '  '}{sentence}"
        return
    if step.inner:
        changed = max(len(step.more), len(step.fewer))
        yield f"    without it, {changed:,} of the results would not be the same"
        return
    yield from _changes(step.more, step.fewer, "    ")


def _changes(more: Rows, fewer: Rows, indent: str) -> Iterator[str]:
    for sign, rows in (("+", more), ("-", fewer)):
        for row in rows[:_SHOWN]:
            yield f"{indent}{sign} {_row(row)}"
        if len(rows) > _SHOWN:
            yield f"{indent}{sign} ... {len(rows) - _SHOWN:,} more"


def _row(row: RowKey) -> str:
    return f"{_time(row[0])}  {' | '.join(row[1].splitlines())}"


def _time(ticks: int) -> str:
    import pyarrow as pa

    from .. import instants

    return str(instants.format_ticks(pa.array([ticks], pa.int64()))[0].as_py())


def origin_lines(found: Origins, texts: dict[tuple[str, int], str]) -> Iterator[str]:
    """Yield which events are behind a row, line by line."""
    yield f"{found.output}: {_row(found.row)}"
    if found.equal > 1:
        yield f"  ({found.equal:,} rows at this time are equal: what any of them needs is told)"
    yield "would not be so without" if found.events else "needs no event"
    for origin in found.events:
        if origin.first == origin.last:
            text = texts[origin.input, origin.first]
            yield f"  event {origin.first:,} of {origin.input}: {text}"
        else:
            yield f"  some of the events {origin.first:,} to {origin.last:,} of {origin.input}"
    if not found.whole:
        yield "  and others: --most N looks for more"
    yield f"({found.runs} runs)"


# -- JSON ---------------------------------------------------------------------------------------


def _fate_json(fate: Fate) -> dict[str, Any]:
    return {
        "input": fate.input,
        "event": fate.event,
        "row": None if fate.row is None else json.loads(fate.row),
        "refused": fate.refused,
        "fits": fate.fits,
        "time": fate.time,
        "steps": [
            {
                "name": s.name,
                "more": [_row_json(r) for r in s.more],
                "fewer": [_row_json(r) for r in s.fewer],
                "end": s.end,
            }
            for s in fate.steps
        ],
        "outputs": {
            name: {"more": [_row_json(r) for r in more], "fewer": [_row_json(r) for r in fewer]}
            for name, (more, fewer) in fate.outputs.items()
        },
    }


def _row_json(row: RowKey) -> dict[str, Any]:
    return {"time": _time(row[0]), "row": [json.loads(part) for part in row[1].splitlines()]}


def _origins_json(found: Origins, texts: dict[tuple[str, int], str]) -> dict[str, Any]:
    return {
        "output": found.output,
        "row": _row_json(found.row),
        "equal": found.equal,
        "events": [
            {
                "input": o.input,
                "first": o.first,
                "last": o.last,
                "row": json.loads(texts[o.input, o.first]) if o.first == o.last else None,
            }
            for o in found.events
        ],
        "whole": found.whole,
        "runs": found.runs,
    }
