"""`streamql model profile`: how much a model does, and with which settings."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .model_settings import ALIAS, PROTOCOL, SETTINGS

if TYPE_CHECKING:
    from ..udf.scoring import ModelFunction

_EPILOG = """\b
Examples:
  streamql model profile http://127.0.0.1:5001/score --sample rows.jsonl
  streamql model profile https://fares.example.com/score --sample rows.jsonl \\
      --set key=env:KEY --plot fares.html --partitions 8
  streamql model profile model.onnx --sample rows.jsonl --max-time 20s

rows.jsonl has one row in each line, as the model gets it: [1, "Mon"] or {"a": 1, "b": "Mon"}.

Requests cost what the model costs: a profile sends hundreds of them, of up to 50,000 rows.
"""


@click.command("profile", epilog=_EPILOG, short_help="Find the settings with which it does most.")
@click.argument("model", metavar="URL")
@click.option(
    "--sample", required=True, metavar="FILE", help="Rows to send, as JSON lines; they repeat."
)
@PROTOCOL
@SETTINGS
@ALIAS
@click.option(
    "--max-batch",
    type=click.IntRange(1, 1_000_000),
    default=50_000,
    show_default=True,
    help="Rows in a request at most.",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(1, 1_000),
    default=64,
    show_default=True,
    help="Requests at a time at most.",
)
@click.option(
    "--max-time", default="60s", show_default=True, metavar="TIME", help="For everything."
)
@click.option(
    "--partitions", type=click.IntRange(1, 10_000), help="Tell what to expect of so many."
)
@click.option("--plot", metavar="FILE", help="Draw a picture: FILE.png, FILE.svg or FILE.html.")
def profile_command(
    model: str,
    sample: str,
    protocol: str | None,
    settings: tuple[str, ...],
    alias: str,
    max_batch: int,
    max_parallel: int,
    max_time: str,
    partitions: int | None,
    plot: str | None,
) -> None:
    """Send a sample with growing batches, then with growing numbers of requests at a time.

    URL is a model's address, a score.py or a model.onnx. Each setting is repeated until its median
    is known. It stops by itself: where the model refuses, where more brings nothing, and when the
    time is up.
    """
    from .. import units
    from ..errors import FunctionError, UsageError
    from ..udf.scoring import ScoringLoop, model_function
    from ..udf.scoring.knee import advice
    from ..udf.scoring.profiler import Bounds, NothingAnswered
    from ..udf.scoring.profiling import profiled
    from ..udf.scoring.sample import load_sample
    from . import profile_report as told
    from .model_settings import model_settings

    try:
        bounds = Bounds(max_batch, max_parallel, units.seconds(max_time))
    except ValueError as error:
        raise UsageError(f"--max-time takes {error}, found {max_time!r}") from None
    if plot is not None:
        from .picture import check_picture

        check_picture(plot)
    rows = load_sample(sample)
    given = model_settings(model, protocol, settings)
    loop = ScoringLoop()
    try:
        function = model_function(alias, model, given, loop)
        function.prepare()
        click.echo(_subject(model, function, rows))
        click.echo()
        tables = told.Tables(click.echo)
        profile = profiled(function, rows, bounds, loop, tables.point)
    except NothingAnswered as nothing:
        failure = nothing.failure
        body = f": {' '.join(failure.body.split())[:500]}" if failure.body else ""
        raise FunctionError(
            f"udf.{alias}: {_target(model, function)} {failure.cause}{body}; rows of {sample}",
            hint=failure.hint or "see that the rows of the sample are what the model takes",
        ) from None
    finally:
        loop.close()
    found = advice(profile, here=not function.parallel)
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    width = min(100, shutil.get_terminal_size().columns)
    lines = told.plot(profile, width, plain=encoding != "utf8")
    lines += told.ending(profile, found)
    if found is not None:
        protocol_found = _chosen(function, given)
        lines += ["", told.settings(alias, _target(model, function), protocol_found, found), ""]
        lines += told.promises(found, partitions, not function.parallel)
    click.echo("\n".join(lines))
    if plot is not None:
        from .picture import draw

        draw(Path(plot), _target(model, function), profile, found, lines)
        click.echo(f"\nthe picture is in {plot}")


def _target(model: str, function: ModelFunction) -> str:
    from ..udf.scoring.client import shown_url

    url = getattr(function, "url", model)
    return shown_url(url) if "://" in url else url


def _subject(model: str, function: ModelFunction, rows: list[str]) -> str:
    """Return what is measured, in a line."""
    size = sum(map(len, rows)) // len(rows)
    spoken = f"{function.settings.protocol.name}, " if "://" in model else ""
    count = "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    return f"{_target(model, function)}  ({spoken}{count} of {size:,} bytes in the sample)"


def _chosen(function: ModelFunction, given: dict[str, str]) -> dict[str, str]:
    """Return the settings that were used, the protocol by the name that was found."""
    if given.get("protocol") != "auto":
        return dict(given)
    rest = {name: value for name, value in given.items() if name != "protocol"}
    return {"protocol": function.settings.protocol.name, **rest}
