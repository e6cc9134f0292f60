"""The commands that begin with a dot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len, set_cell_size

from ...errors import UsageError, suggest
from ...types import Type
from .. import arguments

if TYPE_CHECKING:
    from ...column import Column
    from ...rows import Rows
    from .session import Session

_QUERY_FILES = (".sql", ".asaql")


@dataclass(frozen=True)
class Command:
    """A command: how it is written, what it does in a few words, and what does it."""

    usage: str
    about: str
    run: Callable[[Session, str], None]


def obey(session: Session, line: str) -> None:
    """Run a command. Raises UsageError for one that is none, EOFError for `.quit`."""
    name, _, rest = line.removeprefix(".").partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        near = suggest(name, COMMANDS)
        hint = near.replace("mean ", "mean .") if near else ".help lists the commands"
        raise UsageError(f"no command .{name}", hint=hint)
    command.run(session, rest.strip().removesuffix(";").strip())


def _input(session: Session, rest: str) -> None:
    name, uri = _named(".input", rest)
    session.engine.register_uri(name, uri)
    click.echo(f"{name} reads {uri}")


def _reference(session: Session, rest: str) -> None:
    name, uri = _named(".reference", rest)
    session.engine.register_reference_uri(name, uri)
    click.echo(f"{name} is reference data of {uri}")


def _function(session: Session, rest: str) -> None:
    functions = session.engine.functions
    if rest:
        for alias, spec in arguments.functions([rest]).items():
            session.engine.function_from(alias, spec)
    for alias in functions.by_alias():
        click.echo(f"udf.{alias}")
    for alias in functions.aggregates():
        click.echo(f"uda.{alias}")
    if not rest and not functions.by_alias() and not functions.aggregates():
        click.echo("no functions yet: .function ALIAS=FILE.js, URL, score.py or model.onnx")


def _tables(session: Session, _rest: str) -> None:
    known = session.engine.inputs.describe()
    if not known:
        click.echo("no inputs yet: .input NAME=PATH adds one")
    references, live = session.engine.inputs.references(), session.engine.inputs.live()
    width = max(map(cell_len, known), default=0)
    for name, origin in known.items():
        kind = "reference" if name in references else "live" if name in live else "stream"
        click.echo(f"{set_cell_size(name, width)}  {kind:9}  {origin}")


def _schema(session: Session, rest: str) -> None:
    name = rest or _only(session)
    rows = session.engine.inputs.sample(name)
    if rows is None:
        raise UsageError(f"{name} is read once: its events cannot be looked at beforehand")
    known = fields(rows)
    if not known:
        click.echo(f"{name} has no events")
        return
    width = max(map(cell_len, known))
    for field, kinds in known.items():
        click.echo(f"{set_cell_size(field, width)}  {kinds}")
    click.echo(f"(of the first {len(rows):,} events)")


def _only(session: Session) -> str:
    known = list(session.engine.inputs.describe())
    if len(known) == 1:
        return known[0]
    raise UsageError("which input?", hint=".schema NAME; .tables lists them")


def fields(rows: Rows) -> dict[str, str]:
    """Return the names of the fields of some events, and the types of their values."""
    record = rows.record()
    names = dict.fromkeys(name for value in record.to_pylist() for name in value)
    return {name: _kinds(rows.field((name,))) for name in names}


def _kinds(column: Column) -> str:
    found = {
        str(part.type.value): None
        for _, part in column.parts()
        if part.type is not Type.NULL and len(part)
    }
    return " or ".join(found) or "null"


def _explain(session: Session, rest: str) -> None:
    from ..explain import planned, rendered
    from ..flags import Prepared

    session.shown = script = session.script(rest or _last(session))
    found = planned(Prepared(session.engine, script, None, None))
    click.echo(rendered(found, "text", colours=True), color=session.color)


def _time(session: Session, rest: str) -> None:
    session.timing = _switched(".time", rest, session.timing)
    click.echo(f"times are {'shown' if session.timing else 'not shown'}")


def _switched(command: str, rest: str, now: bool) -> bool:
    if rest.lower() in ("on", "off"):
        return rest.lower() == "on"
    if rest:
        raise UsageError(f"{command} takes on or off, found {rest!r}")
    return not now


def _limit(session: Session, rest: str) -> None:
    if rest:
        if rest.lower() != "all" and not rest.isdecimal():
            raise UsageError(f".limit takes a number of rows or all, found {rest!r}")
        session.limit = 0 if rest.lower() == "all" else int(rest)
    rows = "1 row" if session.limit == 1 else f"{session.limit:,} rows"
    verb = "is" if session.limit == 1 else "are"
    click.echo(f"{rows if session.limit else 'all rows'} of each output {verb} shown")


def _save(session: Session, rest: str) -> None:
    if not rest:
        raise UsageError(".save needs a file", hint="query.sql for the query, rows.jsonl for rows")
    query = _last(session)
    if Path(rest).suffix.lower() in _QUERY_FILES:
        try:
            Path(rest).write_text(session.script(query) + "\n", encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"cannot write {rest}: {reason}") from None
        click.echo(f"the query is in {rest}")
        return
    job = session.engine.job(session.script(query), default_output=rest)
    summary = job.run()
    for sentence in summary.sentences():
        click.echo(sentence)


def _last(session: Session) -> str:
    if session.last is None:
        raise UsageError("no query has been run yet", hint="type one; it ends with a semicolon")
    return session.last


def _help(_session: Session, _rest: str) -> None:
    width = max(len(c.usage) for c in COMMANDS.values())
    click.echo("A query ends with a semicolon; Ctrl-C ends a query that runs, Ctrl-D the session.")
    for command in COMMANDS.values():
        click.echo(f"  {command.usage:{width}}  {command.about}")


def _quit(_session: Session, _rest: str) -> None:
    raise EOFError


def _named(command: str, rest: str) -> tuple[str, str]:
    plain, named = arguments.bindings(command, [rest] if rest else [])
    if not named:
        found = f"found {plain}" if plain else "found nothing"
        raise UsageError(f"{command} needs NAME=URI, {found}", hint=f"{command} rides=rides.jsonl")
    return next(iter(named.items()))


COMMANDS = {
    "input": Command(".input NAME=URI", "add an input: a file, folder or pattern", _input),
    "reference": Command(".reference NAME=URI", "add reference data", _reference),
    "function": Command(".function [ALIAS=SPEC]", "add a function; list them", _function),
    "tables": Command(".tables", "list the inputs", _tables),
    "schema": Command(".schema [NAME]", "show the fields of an input", _schema),
    "explain": Command(".explain [QUERY]", "show the steps of a query, or of the last", _explain),
    "time": Command(".time [on|off]", "show how long queries take", _time),
    "limit": Command(".limit [N|all]", "how many rows are shown", _limit),
    "save": Command(".save FILE", "save the last query (.sql), or its rows (any format)", _save),
    "help": Command(".help", "show this", _help),
    "quit": Command(".quit", "leave", _quit),
}
