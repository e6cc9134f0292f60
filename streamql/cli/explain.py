"""`streamql explain`: what a query will do, and with `--run` what it did."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .flags import STDIO, Prepared, QueryFlags, prepared, query_flags

if TYPE_CHECKING:
    from ..explain.model import Explanation

_EPILOG = """\b
Examples:
  streamql explain query.sql
  streamql explain query.sql --format svg -o plan.svg
  streamql explain query.sql --run --input rides=rides.jsonl

Inputs need not be given, except for --run, which runs the query and lets its rows go.
"""
_STYLES = {"title": {"bold": True}, "label": {"fg": "cyan"}, "number": {"dim": True}}
_NARROW, _WIDE = 32, 110


@click.command("explain", epilog=_EPILOG, short_help="Show what a query will do, step by step.")
@query_flags()
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="[NAME=]URI",
    help="Where an output would go: it decides about the delivery guarantee.",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "mermaid", "svg", "json"]),
    default="text",
    show_default=True,
    help="Text, a Mermaid flowchart, a drawing, or JSON.",
)
@click.option("-o", "--out", metavar="FILE", help="Write to FILE.  [default: standard output]")
@click.option("--run", "run", is_flag=True, help="Run the query and add what was measured.")
@click.pass_context
def explain_command(
    ctx: click.Context, flags: QueryFlags, layout: str, out: str | None, run: bool
) -> None:
    """Explain the query in QUERY_FILE: its steps in the order of the data."""
    with prepared(ctx, flags, needs_data=run) as at:
        if at.only_input is not None:
            at.engine.register_only(at.script, at.only_input)
        found = _measured(at) if run else planned(at)
    text = rendered(found, layout, colours=out is None)
    if out is None or out == STDIO:
        click.echo(text, color=ctx.find_root().color)
        return
    from ..errors import OutputError

    try:
        Path(out).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        hint = None if Path(out).parent.is_dir() else f"create {Path(out).parent} first"
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {out}: {reason}", hint=hint) from None


def planned(at: Prepared) -> Explanation:
    """Explain a query without running it. Raises CompileError."""
    from ..bind.script import bind_script
    from ..explain.explain import explain
    from ..lint.assume import with_open_inputs
    from ..optimize.driver import optimize
    from ..syntax.parser import parse

    engine, script = at.engine, parse(at.script)
    environment, _ = with_open_inputs(script, engine.environment())
    job = optimize(bind_script(script, environment))
    return explain(
        at.script,
        script,
        job,
        engine.settings,
        inputs=engine.inputs.describe(),
        live=engine.inputs.live(),
        outputs=_outputs(at, job.outputs),
    )


def _outputs(at: Prepared, names: tuple[str, ...]) -> dict[str, str]:
    """Return where each output would go. Raises UsageError for a name that is no output."""
    from ..backends.local import Opened

    uris = Opened.of_uris(names, at.outputs, None, at.default_output or STDIO).uris
    return {name: uri if isinstance(uri, str) else uri.name for name, uri in uris.items()}


def _measured(at: Prepared) -> Explanation:
    """Run the query, its rows to nowhere, and explain what it did so far when it is stopped."""
    import contextlib

    from ..explain.explain import explain, of_run
    from ..explain.meter import Meter, metered
    from ..runtime.view import JobView
    from ..syntax.parser import parse

    engine = at.engine
    job = engine.job(at.script, default_output=os.devnull)
    meters: list[Meter] = []
    views: list[JobView] = []

    def watch(view: JobView) -> None:
        views.append(view)
        meters.extend(metered(view.graph))

    with contextlib.suppress(KeyboardInterrupt):
        job.run(None, watch)
    found = explain(
        at.script,
        parse(at.script),
        job.plan,
        engine.settings,
        inputs=engine.inputs.describe(),
        live=engine.inputs.live(),
        outputs=_outputs(at, job.plan.outputs),
        measured={id(m.node.plan): m.measured() for m in meters},
    )
    events = {name: r.counts.events for v in views for name, r in v.readers.items()}
    return of_run(found, events)


def rendered(found: Explanation, layout: str, *, colours: bool) -> str:
    """Return an explanation as text in one of the layouts of `--format`."""
    match layout:
        case "mermaid":
            from ..explain.picture import as_mermaid

            return "\n".join(as_mermaid(found))
        case "svg":
            from ..explain.picture import as_svg

            return as_svg(found)
        case "json":
            import orjson

            from ..explain.schema import as_dict

            return orjson.dumps(as_dict(found), option=orjson.OPT_INDENT_2).decode()
        case _:
            import shutil

            from ..explain.text import as_text, plain

            width = min(max(shutil.get_terminal_size().columns, _NARROW), _WIDE)
            return "\n".join(as_text(found, width, _styled if colours else plain))


def _styled(text: str, kind: str) -> str:
    return click.style(text, **_STYLES[kind])  # type: ignore[arg-type]
