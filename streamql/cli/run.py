"""`streamql run`: run a query over inputs, rows to outputs."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import click

from .flags import STDIO, QueryFlags, prepared, query_flags
from .logs import log_flags, logged
from .report import say, warn
from .watching import watched, watching_flags

if TYPE_CHECKING:
    from ..result import Job

_EPILOG = """\b
Examples:
  streamql run query.sql --input events.jsonl
  streamql run -q "SELECT id, fare * 1.1 AS gross FROM rides" \\
      --input rides=rides.jsonl
  streamql run query.sql --input 'logs/*.jsonl' --follow --output alerts.jsonl
  cat events.jsonl | streamql run query.sql --input - --output scored.jsonl
  streamql run score.sql --input events.jsonl --functions functions \\
      --function score=http://127.0.0.1:5001/score \\
      --set score.max_batch_count=100
  streamql run query.sql --input - --metrics 9464
  streamql run query.sql --input events.jsonl \\
      --output 'sqlite:///var/rides.db?table=fares'
  streamql run query.sql --input events.jsonl --output rows.jsonl \\
      --checkpoint state
  streamql run my-project

A URI is a file, a folder, a pattern such as 'logs/*.jsonl.gz', or - for standard input or output.

Outputs may also be sqlite:///PATH?table=NAME, postgresql://USER@HOST/DATABASE?table=NAME,
and http:// or https:// (JSON by POST).
"""


@click.command("run", epilog=_EPILOG, short_help="Run a query over files and streams.")
@query_flags(outputs=True)
@watching_flags
@log_flags
@click.option(
    "--checkpoint",
    metavar="DIR",
    help="Keep checkpoints in DIR (or s3://BUCKET/DIR), and continue from the newest one there.",
)
@click.option("--from-start", is_flag=True, help="Remove the checkpoints in DIR and begin anew.")
@click.option(
    "--allow-changed-functions",
    is_flag=True,
    help="Continue from a checkpoint although functions have changed.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@click.pass_context
def run_command(
    ctx: click.Context,
    flags: QueryFlags,
    metrics: str | None,
    checkpoint: str | None,
    from_start: bool,
    allow_changed_functions: bool,
    quiet: bool,
    log_format: str,
    log_level: str,
) -> None:
    """Run the query in QUERY_FILE (- for standard input) to the end of its inputs.

    QUERY_FILE may be a project: a folder with a streamql.toml, or one of Azure Stream Analytics
    (asaproj.json, .asaproj, .asaql); flags win over what the project says.
    """
    for flag, given in (
        ("--from-start", from_start),
        ("--allow-changed-functions", allow_changed_functions),
    ):
        if given and checkpoint is None:
            from ..errors import UsageError

            raise UsageError(
                f"{flag} says what to do with checkpoints", hint="add --checkpoint DIR"
            )
    from .startup import keep_freed_memory, share_the_interpreter

    keep_freed_memory()
    gc.disable()  # what is loaded now stays: looking for garbage in it takes a tenth of the start
    with (
        logged(ctx, log_format, log_level) as log,
        watched(ctx, metrics) as watch,
        prepared(ctx, flags, needs_data=True) as at,
    ):
        from .console import console_shown
        from .progress import Progress, wanted

        share_the_interpreter()
        job = at.engine.job(
            at.script,
            bind_input=at.only_input,
            outputs=at.outputs,
            output_dir=at.output_dir,
            default_output=at.default_output or STDIO,
            checkpoint=checkpoint,
            from_start=from_start,
            allow_changed_functions=allow_changed_functions,
        )
        if checkpoint is not None:
            _warn_of_volatile(ctx, job)
        on_stdout = at.output_dir is None and (at.default_output or STDIO) == STDIO
        shown = wanted(
            quiet or log.structured, on_stdout and len(at.outputs) < len(job.plan.outputs)
        )
        gc.freeze()
        gc.enable()
        stoppable = nullcontext() if checkpoint is None else _stopping(ctx, job, quiet)
        with (
            console_shown(ctx, quiet),
            stoppable,
            Progress(ctx.find_root().color) if shown else nullcontext() as progress,
        ):
            summary = job.run(progress, watch)
    if not quiet:
        first, *others = summary.sentences()
        say(first, ctx, **summary.figures())
        for sentence in others:
            say(sentence, ctx)


def _warn_of_volatile(ctx: click.Context, job: Job) -> None:
    """Warn of functions that may compute other rows after a restart."""
    from ..lint.rules.volatile_call import HINT, volatile_calls
    from ..plan.nodes import plans_below

    for text in dict.fromkeys(text for _, text in volatile_calls(plans_below(job.plan.writes))):
        warn(text, ctx, hint=HINT)


def _stopping(ctx: click.Context, job: Job, quiet: bool) -> AbstractContextManager[None]:
    """Return what lets signals end a job with a last checkpoint."""
    from .signals import stopping

    return stopping(job.stop, lambda text: None if quiet else say(text, ctx))
