"""`streamql check`: what is wrong with queries, and what is probably wrong, without data."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .flags import STDIO, Prepared, QueryFlags, prepared, query_flags
from .project import found_project
from .report import QUERY, say, width_of

if TYPE_CHECKING:
    from ..errors import StreamqlError
    from ..lint.diagnostic import Diagnostic
    from ..projects.project import Project

_EPILOG = """\b
Examples:
  streamql check query.sql
  streamql check queries/ --json
  streamql check query.sql --functions functions --target asa --strict
  streamql check -q "SELECT id FROM rides WHERE fare = NULL" \\
      --input rides=rides.jsonl

Inputs need not be given; the first events of those that are tell which columns hold times.

Exit codes: 0 no errors (--strict: nor warnings), 1 some, 2 usage.
"""
_SUFFIXES = {".sql", ".asaql"}
_COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command("check", epilog=_EPILOG, short_help="Find what is wrong with queries, all at once.")
@query_flags(several=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for editors.")
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--target",
    type=click.Choice(["asa"]),
    help="Also tell what Azure Stream Analytics does not have, or does in another way.",
)
@click.option(
    "--checkpointed", is_flag=True, help="Judge the queries as those of a job with checkpoints."
)
@click.pass_context
def check_command(
    ctx: click.Context,
    flags: QueryFlags,
    as_json: bool,
    strict: bool,
    target: str | None,
    checkpointed: bool,
) -> None:
    """Check the queries in QUERY_FILES (folders: their .sql and .asaql files; -: standard input).

    Nothing is run. All errors are told, not the first only, and what is legal and probably wrong.
    """
    gc.disable()  # what is loaded now stays, and there is little else
    found: list[tuple[str, str, Diagnostic]] = []
    # before anything is loaded: a missing file is told at once
    groups = list(_groups(flags))
    names = sum(len(queries) for _, queries in groups)
    for engine_flags, queries in groups:
        ctx.meta[QUERY] = queries[0][1] if len(queries) == 1 else None
        place = queries[0] if len(queries) == 1 else ("functions", "")
        broken: list[StreamqlError] = []
        with prepared(ctx, engine_flags, broken=broken.append) as at:
            from ..lint.check import check
            from ..lint.diagnostic import Diagnostic

            found += [(*place, Diagnostic.of_function(e)) for e in broken]
            for name, text in queries:
                unread: list[Diagnostic] = []
                diagnostics = check(
                    text,
                    at.engine.environment(),
                    at.engine.settings,
                    times=partial(_times, at, unread),
                    checkpoints=checkpointed or at.engine.settings.says_checkpoints,
                    azure=target == "asa",
                )
                found += [(name, text, d) for d in (*unread, *diagnostics)]
    if as_json:
        import orjson

        rows = [as_dict(*one) for one in found]
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
    else:
        for one in found:
            click.echo(_shown(*one), color=ctx.find_root().color)
        say(_summary([d for _, _, d in found], names), ctx)
    failing = {"error", "warning"} if strict else {"error"}
    if any(d.severity in failing for _, _, d in found):
        ctx.exit(1)


def _groups(flags: QueryFlags) -> Iterator[tuple[QueryFlags, list[tuple[str, str]]]]:
    """Yield flags for an engine, and the names and texts of the queries to be checked with it.

    Each project has functions, inputs and settings of its own. Raises UsageError.
    """
    from dataclasses import replace

    plain = []
    for file in flags.query_files:
        project = None if flags.query is not None else found_project(file)
        if project is None:
            plain.append(file)
        else:
            yield replace(flags, query_files=(), query_file=file), [_query_of(project)]
    if plain or not flags.query_files:
        queries = list(_queries(replace(flags, query_files=tuple(plain))))
        called = "\n".join(text for _, text in queries)
        yield replace(flags, query_files=(), query=called), queries


def _queries(flags: QueryFlags) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each query. Raises UsageError."""
    from ..errors import UsageError
    from .arguments import read_query_file

    if flags.query is not None:
        yield "query", flags.query
    elif not flags.query_files:
        raise UsageError("no query to check", hint="streamql check query.sql, or a folder of them")
    for file in flags.query_files:
        if not Path(file).is_dir():
            yield "standard input" if file == STDIO else file, read_query_file(file)
            continue
        inside = sorted(p for p in Path(file).rglob("*") if p.suffix.lower() in _SUFFIXES)
        if not inside:
            raise UsageError(f"no queries in {file}", hint="they end in .sql or .asaql")
        for path in inside:
            yield str(path), read_query_file(str(path))


def _query_of(project: Project) -> tuple[str, str]:
    return str(project.script_file), project.script


def _times(at: Prepared, unread: list[Diagnostic], names: list[str]) -> dict[str, tuple[str, ...]]:
    """Return which columns hold times, for those inputs whose data can be looked at.

    Those that cannot be read are told in `unread`.
    """
    from ..errors import InputError
    from ..lint.diagnostic import WARNING, Diagnostic
    from ..lint.samples import time_columns

    inputs = at.engine.inputs
    if at.only_input is not None:
        left = [n for n in names if not inputs.has(n)]
        if len(left) == 1:
            inputs.add_uri(left[0], at.only_input)
    found = {}
    for name in names:
        try:
            rows = inputs.sample(name) if inputs.has(name) else None
        except InputError as error:
            unread.append(Diagnostic(WARNING, "unreadable-input", error.message, hint=error.hint))
            continue
        if rows is not None and len(rows):
            found[name.lower()] = time_columns(rows)
    return found


def as_dict(name: str, text: str, found: Diagnostic) -> dict[str, Any]:
    """Return a finding for JSON; lines and columns count from 1, the end is behind the text."""
    from ..errors import place

    line, column = end_line, end_column = 1, 1
    if found.span is not None:
        line, column = place(text, found.span.start)
        end_line, end_column = place(text, found.span.end)
    return {
        "file": name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "severity": found.severity,
        "code": found.code,
        "message": found.message,
        "hint": found.hint,
    }


def _shown(name: str, text: str, found: Diagnostic) -> str:
    """Return a finding with its line, cut to fit a terminal, and a caret under its place."""
    from ..errors import excerpt, place

    colour = _COLOURS[found.severity]
    where = name
    lines = []
    if found.span is not None:
        line, column = place(text, found.span.start)
        where = f"{name}:{line}:{column}"
        room = width_of(sys.stdout)
        written, carets = excerpt(text, found.span, room and room - 4)
        lines += [f"  | {written}", "  | " + carets.replace("^", "")]
        lines[1] += click.style("^" * carets.count("^"), fg=colour, bold=True)
    head = f"{where}: {click.style(found.severity + ':', fg=colour, bold=True)} {found.message}"
    head += click.style(f" [{found.code}]", dim=True)
    if found.hint:
        lines.append(f"  {click.style('hint:', fg='cyan', bold=True)} {found.hint}")
    return "\n".join((head, *lines))


def _summary(found: list[Diagnostic], names: int) -> str:
    counted = []
    for severity, word in (("error", "error"), ("warning", "warning"), ("info", "remark")):
        number = sum(d.severity == severity for d in found)
        if number:
            counted.append(f"{number} {word}{'' if number == 1 else 's'}")
    queries = "1 query" if names == 1 else f"{names} queries"
    return f"{', '.join(counted) or 'nothing found'} in {queries}"
