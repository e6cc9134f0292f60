"""`streamql run`: run a query over inputs, rows to outputs."""

from __future__ import annotations

import gc
import os
from contextlib import nullcontext
from pathlib import Path

import click

from .report import QUERY, say

_SETTINGS_FILE = Path("streamql.toml")
_STDIO = "-"

_EPILOG = """\b
Examples:
  streamql run query.sql --input events.jsonl
  streamql run -q "SELECT id, fare * 1.1 AS gross FROM rides" --input rides=rides.jsonl
  cat events.jsonl | streamql run query.sql --input - --output scored.jsonl
  streamql run score.sql --input events.jsonl --functions functions \\
      --function score=http://127.0.0.1:5001/score --set score.max_batch_count=100
\b
A URI is a file, a folder, a pattern such as 'logs/*.jsonl.gz', or - for standard input or output.
"""


@click.command("run", epilog=_EPILOG, short_help="Run a query over files and streams.")
@click.argument("query_file", required=False)
@click.option("-q", "--query", help="The query itself, instead of QUERY_FILE.")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="[NAME=]URI",
    help="Where an input comes from; without NAME it is the query's only input.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="NAME=URI",
    help="Where reference data comes from.",
)
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="[NAME=]URI",
    help="Where an output goes; without NAME all that are not named.  [default: standard output]",
)
@click.option("--output-dir", metavar="DIR", help="Write DIR/NAME.jsonl for each other output.")
@click.option(
    "--functions",
    "folders",
    multiple=True,
    metavar="DIR",
    help="A folder in which each ALIAS.js is the function udf.ALIAS or the aggregate uda.ALIAS.",
)
@click.option(
    "--function",
    "functions",
    multiple=True,
    metavar="ALIAS=SPEC",
    help="A function: FILE.js, a model (an http(s) URL, an entry script score.py, model.onnx), or "
    "MODULE:NAME or FILE.py:NAME in Python.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the job, or ALIAS.KEY=VALUE: one of a function.",
)
@click.option(
    "--replay",
    is_flag=True,
    help="Take the events of a pipe as history: each arrives at its own time, not now.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--no-color", is_flag=True, help="No colours on standard error.")
@click.pass_context
def run_command(
    ctx: click.Context,
    query_file: str | None,
    query: str | None,
    inputs: tuple[str, ...],
    references: tuple[str, ...],
    outputs: tuple[str, ...],
    output_dir: str | None,
    folders: tuple[str, ...],
    functions: tuple[str, ...],
    settings: tuple[str, ...],
    replay: bool,
    quiet: bool,
    no_color: bool,
) -> None:
    """Run the query in QUERY_FILE (- for standard input) to the end of its inputs."""
    # the engine and what it needs are loaded here, not for --help and --version
    from ..udf.python.specs import is_python
    from .startup import share_the_interpreter, skip_pandas

    share_the_interpreter()
    gc.disable()  # what is loaded now stays: looking for garbage in it takes a tenth of the start
    if not any(".py" in spec or is_python(spec.partition("=")[2]) for spec in functions):
        skip_pandas()
    from ..engine import Engine
    from ..errors import UsageError
    from ..settings import Settings
    from . import arguments
    from .console import console_shown
    from .progress import Progress, wanted

    if no_color:
        ctx.find_root().color = False
    only_input, named_inputs = arguments.bindings("--input", inputs)
    default_output, named_outputs = arguments.bindings("--output", outputs)
    if default_output is not None and output_dir is not None:
        raise UsageError(f"--output {default_output} and --output-dir are both given")
    if query_file == _STDIO and _STDIO in (only_input, *named_inputs.values()):
        raise UsageError("standard input is both the query and an input")
    ctx.meta[QUERY] = script = arguments.read_query(query_file, query)
    given = arguments.pairs("--set", "KEY=VALUE", settings)
    if replay:
        given["replay"] = "true"
    chosen = Settings.load(_SETTINGS_FILE, os.environ, given)
    with Engine(chosen) as engine, console_shown(ctx, quiet):
        engine.on_warning = lambda text: say(f"warning: {text}", ctx)
        for folder in folders:
            if arguments.may_call(script, given) or not Path(folder).is_dir():
                engine.functions_from(folder)
        for alias, spec in arguments.functions(functions).items():
            engine.function_from(alias, spec)
        for name, uri in named_inputs.items():
            engine.register_uri(name, uri)
        for name, uri in arguments.references(references).items():
            engine.register_reference_uri(name, uri)
        job = engine.job(
            script,
            bind_input=only_input,
            outputs=named_outputs,
            output_dir=output_dir,
            default_output=default_output or _STDIO,
        )
        on_stdout = output_dir is None and (default_output or _STDIO) == _STDIO
        shown = wanted(quiet, on_stdout and len(named_outputs) < len(job.plan.outputs))
        gc.freeze()
        gc.enable()
        with Progress(ctx.find_root().color) if shown else nullcontext() as progress:
            summary = job.run(progress)
    if not quiet:
        for sentence in summary.sentences():
            say(sentence, ctx)
