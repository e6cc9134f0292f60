"""`streamql test`: run test cases and say what is not as expected."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..testing.execution import Outcome

_EPILOG = """\b
Examples:
  streamql test tests
  streamql test tests/late-event --update
  streamql test tests -k 'late and not slow' --junit report.xml
  streamql test tests --function score=score.py --tolerance 1e-6
  streamql test tests --batches all --batches restart

A case is a folder: query.sql, inputs/NAME.jsonl, expected/OUTPUT.jsonl, and case.json for what
else there is to say. Exit codes: 0 all passed, 1 some failed, 2 usage, or there is no case.
"""
_COLOURS = {"-": "red", "+": "green"}


@click.command("test", epilog=_EPILOG, short_help="Run test cases: queries, inputs, expected rows.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("-k", "words", metavar="EXPR", default="", help="Run cases whose names match.")
@click.option("--update", "updating", is_flag=True, help="Make what came out what is expected.")
@click.option("--junit", metavar="FILE", help="Write a report that build servers read.")
@click.option("--tolerance", type=click.FloatRange(min=0), help="How much numbers may differ.")
@click.option(
    "--batches",
    multiple=True,
    type=click.Choice(["all", "one", "random", "restart"]),
    default=("all",),
    help="How events come: all at once, one by one, cut at random, or one by one with a restart "
    "after each.  [default: all]",
)
@click.option("--function", "functions", multiple=True, metavar="ALIAS=SPEC", help="A function.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting.")
@click.option("--replay-calls", metavar="FILE", help="Answer for models from such a file.")
@click.option("-q", "--quiet", is_flag=True, help="Show only cases that failed.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.pass_context
def test_command(
    ctx: click.Context,
    paths: tuple[str, ...],
    words: str,
    updating: bool,
    junit: str | None,
    tolerance: float | None,
    batches: tuple[str, ...],
    functions: tuple[str, ...],
    settings: tuple[str, ...],
    replay_calls: str | None,
    quiet: bool,
    no_color: bool,
) -> None:
    """Run the cases in and below each PATH, by default those below the working folder."""
    from ..errors import UsageError
    from ..testing.discovery import find_cases
    from ..testing.execution import BATCHES, Overrides, run_case, update
    from ..testing.junit import write_junit
    from ..testing.selection import selector
    from . import arguments

    if no_color:
        ctx.find_root().color = False
    given = arguments.pairs("--set", "KEY=VALUE", settings)
    given |= arguments.present(replay_calls=replay_calls)
    overrides = Overrides(arguments.functions(functions), given)
    overrides.refuse_misfit()
    wanted = selector(words)
    cases = find_cases([arguments.here(path) for path in paths], tolerance)
    chosen = [case for case in cases if wanted(case.name)]
    if not chosen:
        few = ", ".join(case.name for case in cases[:5])
        more = f" and {len(cases) - 5:,} more" if len(cases) > 5 else ""
        raise UsageError(
            f"-k {words!r} fits none of {len(cases):,} cases", hint=f"there is {few}{more}"
        )
    shown = _Shown(ctx, quiet)
    outcomes = []
    for case in chosen:
        for how in dict.fromkeys(batches):
            outcome = run_case(case, next(b for b in BATCHES if b == how), overrides)
            if updating and not outcome.passed:
                case, changed = update(outcome)
                if changed:
                    shown.updated(outcome, changed)
                    outcome = run_case(case, outcome.batches, overrides)
            shown.outcome(outcome)
            outcomes.append(outcome)
    shown.summary(outcomes)
    if junit is not None:
        write_junit(outcomes, Path(junit))
    if not all(outcome.passed for outcome in outcomes):
        ctx.exit(1)


class _Shown:
    """Tells what becomes of each case, on standard output."""

    def __init__(self, ctx: click.Context, quiet: bool) -> None:
        self._color = ctx.find_root().color
        self._quiet = quiet
        self._began = time.monotonic()
        # in a pipe nobody knows how wide the reader's window is, and nothing is cut
        self._width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def outcome(self, outcome: Outcome) -> None:
        """Show that a case passed, or what is wrong with it."""
        from ..testing.report import failure_lines

        if outcome.passed:
            if not self._quiet:
                self._say(click.style("passed", fg="green") + f"  {outcome.name}")
                self._warnings(outcome)
            return
        self._say(click.style("FAILED", fg="red", bold=True) + f"  {outcome.name}")
        for line in failure_lines(outcome, self._width):
            self._say(click.style(line.text, fg=_COLOURS[line.mark]) if line.mark else line.text)
        self._warnings(outcome)

    def updated(self, outcome: Outcome, changed: list[Path]) -> None:
        """Show which files of a case were written anew."""
        names = ", ".join(path.name for path in changed)
        self._say(click.style("updated", fg="yellow") + f" {outcome.name}: {names}")

    def _warnings(self, outcome: Outcome) -> None:
        for text in outcome.warnings:
            self._say("  " + click.style("warning:", fg="yellow", bold=True) + f" {text}")

    def summary(self, outcomes: list[Outcome]) -> None:
        """Show how many passed and failed."""
        failed = sum(not outcome.passed for outcome in outcomes)
        passed = len(outcomes) - failed
        parts = [f"{passed:,} passed"] if passed or not failed else []
        parts += [f"{failed:,} failed"] if failed else []
        seconds = time.monotonic() - self._began
        text = f"{', '.join(parts)} in {seconds:.2f} s"
        self._say(click.style(text, fg="red" if failed else "green", bold=True))

    def _say(self, text: str) -> None:
        click.echo(text, color=self._color)
