"""`streamql init`: a new project, or our file beside an Azure project."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

_EPILOG = """\b
Examples:
  streamql init my-job && streamql run my-job && streamql test my-job
  streamql init --from-asa toll
"""


@click.command("init", epilog=_EPILOG, short_help="Make a project that runs at once.")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--from-asa", is_flag=True, help="Write a streamql.toml beside an Azure project.")
@click.pass_context
def init_command(ctx: click.Context, folder: str, from_asa: bool) -> None:
    """Make a project in DIR, by default the working folder: query, data, function and test.

    With --from-asa DIR is a project of Azure Stream Analytics, or its asaproj.json; it gets a
    streamql.toml that says the same. No file is written over.
    """
    from ..errors import UsageError
    from ..projects import asa, new
    from ..projects.open import asa_file

    if from_asa:
        file = asa_file(Path(folder))
        if file is None:
            raise UsageError(
                f"{folder} is no Azure project", hint="it has an asaproj.json, .asaproj or .asaql"
            )
        written = new.from_asa(file.parent, asa.read_asa_project(file))
        place = file.parent
    else:
        place = Path(folder)
        written = new.new_project(place)
    for path in written:
        click.echo(f"wrote {path}", color=ctx.find_root().color)
    typed = shlex.quote(str(place))
    click.echo(f"now: streamql run {typed}; streamql test {typed}")
