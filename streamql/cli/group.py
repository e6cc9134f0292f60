"""The command `streamql` itself: its subcommands, its version, and where errors end."""

from __future__ import annotations

import os
from typing import Any

import click

from .check import check_command
from .checkpoint import checkpoint_command
from .explain import explain_command
from .functions import functions_command
from .init import init_command
from .model import model_command
from .repl import repl_command
from .report import exit_code_of, told_usage
from .run import run_command
from .test import test_command
from .why import why_command

_EPILOG = """\b
Examples:
  streamql run query.sql --input events.jsonl
  streamql check query.sql
  streamql explain query.sql
  streamql init my-job
  streamql repl --input rides=rides.jsonl
  streamql functions LEFT
  streamql model probe http://127.0.0.1:5001/score
  streamql model profile http://127.0.0.1:5001/score --sample rows.jsonl

Exit codes: 0 done, 1 a check or test failed, 2 usage or compile error, 3 runtime failure,
70 a defect, 130 interrupted.

Tab completion: eval "$(_STREAMQL_COMPLETE=bash_source streamql)"; also for zsh and fish.
"""


class Commands(click.Group):
    """A group that turns every error into a message and an exit code, and knows near names."""

    def invoke(self, ctx: click.Context) -> Any:
        if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
            ctx.color = False
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            ctx.exit(told_usage(error, ctx))
        except (click.ClickException, click.Abort, click.exceptions.Exit, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the one place where errors end
            ctx.exit(exit_code_of(error, ctx))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            ctx.exit(told_usage(error, ctx))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from ..errors import suggest

            hint = suggest(args[0], self.list_commands(ctx))
            if hint is None or "did you mean" in error.format_message().lower():
                raise  # some versions of click suggest by themselves
            raise click.UsageError(f"{error.format_message()} {hint.capitalize()}", ctx) from None


def _show_version(ctx: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        import streamql

        click.echo(f"streamql {streamql.__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def main() -> None:
    """The Azure Stream Analytics query language over files and streams."""


main.add_command(run_command)
main.add_command(repl_command)
main.add_command(check_command)
main.add_command(explain_command)
main.add_command(why_command)
main.add_command(functions_command)
main.add_command(model_command)
main.add_command(test_command)
main.add_command(init_command)
main.add_command(checkpoint_command)
