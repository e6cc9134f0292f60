"""`streamql model call`: score a few rows, without a query."""

from __future__ import annotations

import click

from .model_settings import PROTOCOL, SETTINGS

_EPILOG = """\b
Examples:
  streamql model call http://127.0.0.1:5001/score --row '[1, "Mon", 12]'
  streamql model call http://127.0.0.1:8080 --row '{"a": 1, "b": "Mon"}' \\
      --set protocol=mlflow
  streamql model call score.py --row '[1, 2]' --row '[3, 4]'
"""
_RETRIES = "2"
"""A person who waits wants to know what is wrong, not that it is tried for ever."""


@click.command("call", epilog=_EPILOG, short_help="Score one row.")
@click.argument("model", metavar="URL")
@click.option(
    "--row",
    "rows",
    multiple=True,
    required=True,
    metavar="JSON",
    help="The row as the model gets it: an array, an object or a single value. Several are one "
    "request.",
)
@PROTOCOL
@SETTINGS
@click.pass_context
def call_command(
    ctx: click.Context,
    model: str,
    rows: tuple[str, ...],
    protocol: str | None,
    settings: tuple[str, ...],
) -> None:
    """Score rows and print each answer as a line of JSON.

    URL is a model's address, a score.py or a model.onnx. A row that cannot be scored is an error;
    with --set on_error=null (or default: VALUE) it is answered as in a job.
    """
    import numpy as np
    import pyarrow as pa

    from ..errors import FunctionError
    from ..udf.scoring import ScoringLoop, model_function
    from . import arguments
    from .model_settings import model_settings
    from .report import say

    given = model_settings(model, protocol, settings)
    if "://" in model:
        given.setdefault("max_retries", _RETRIES)
    loop = ScoringLoop()
    try:
        function = model_function("score", model, given, loop)
        function.on_warning = lambda text: say(f"warning: {text}", ctx)
        texts = [arguments.json_text("--row", row) for row in rows]
        function.prepare()
        scorer = function.open()
        try:
            ticket = scorer.submit(pa.array(texts, pa.string()), np.arange(1, len(rows) + 1))
            scorer.flush(final=True)
            while not ticket.done:
                scorer.wait(0.1)
            answers = ticket.result().to_json(marked=False).fill_null("null").to_pylist()
        except FunctionError as error:
            if len(rows) == 1:
                error.event = None
            raise
        finally:
            scorer.close()
        for row, answer in enumerate(answers):
            if ticket.skipped is None or not ticket.skipped[row]:
                click.echo(answer)
    finally:
        loop.close()
