"""What has been said in a REPL, and what it means: queries, declarations, commands."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable

import click

from ...bind.script import input_names
from ...engine import Engine
from ...errors import ParseError, StreamqlError, render
from ...syntax.parser import parse
from ...syntax.source import blank_comments
from ..report import coloured, exit_code_of, say, width_of
from .screen import EnoughError, Screen

LIMIT = 100
"""Rows that are shown of each output unless `.limit` says otherwise."""

_DECLARATION = re.compile(r"\s*CREATE\s+TABLE\b", re.IGNORECASE)
_TABLE_NAME = re.compile(r"CREATE\s+TABLE\s+(\w+|\[[^\]]+\])", re.IGNORECASE)
_WORDS = re.compile(r"\s*(exit|quit|help)\s*(\(\s*\))?\s*;?\s*", re.IGNORECASE)
_OUTSIDE = re.compile(r"'[^']*'|\"[^\"\n]*\"|\[[^\]\n]*\]|(;)")


def command_in(text: str) -> str | None:
    """Return the command that a text is: one with a dot, or a word that is meant for one."""
    if text.lstrip().startswith("."):
        return text.strip()
    word = _WORDS.fullmatch(text)
    if word is None:
        return None
    return ".help" if word[1].lower() == "help" else ".quit"


def ends(text: str) -> bool:
    """Tell whether what was typed is whole: a command, or a text whose last sign is a `;`."""
    if not text.strip() or command_in(text) is not None:
        return True
    try:
        return blank_comments(text).rstrip().endswith(";")
    except ParseError as error:
        # an open quote, bracket or comment waits for its end; other mistakes are told at once
        return error.span is None or not text[error.span.start :].startswith(("'", "/*"))


class Session:
    """Runs what is typed. Errors are shown and end the query, not the session.

    Attributes:
        limit: rows that are shown of each output; 0 for all.
        timing: whether the time of each query is shown.
        last: the last query that compiled.
        shown: the text that the places of errors are in.
    """

    def __init__(self, engine: Engine, ctx: click.Context) -> None:
        self.engine = engine
        self.limit = LIMIT
        self.timing = True
        self.last: str | None = None
        self.declared: dict[str, str] = {}
        self._ctx = ctx
        self.shown = ""

    @property
    def color(self) -> bool | None:
        """Whether colours are wanted; None: on a terminal."""
        return self._ctx.find_root().color

    def submit(self, text: str) -> int:
        """Run one entry, a command or queries; return the exit code that it deserves.

        EOFError ends the session.
        """
        self.shown = ""
        try:
            if (command := command_in(text)) is not None:
                from .commands import obey

                obey(self, command)
            else:
                text = self._declare(text)
                if text.strip(" ;\r\n\t"):
                    self._run(text)
        except StreamqlError as error:
            say(coloured(render(error, self.shown, width_of(sys.stderr))), self._ctx)
            self._say_what_supplies()
            return error.exit_code
        except EOFError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            return exit_code_of(error, self._ctx)
        return 0

    def run_all(self, lines: Iterable[str]) -> int:
        """Run the entries of a pipe up to the first that fails; return the exit code."""
        pending = ""
        try:
            for line in lines:
                pending += line
                if ends(pending):
                    if code := self.submit(pending):
                        return code
                    pending = ""
            return self.submit(pending)
        except EOFError:
            return 0

    def script(self, text: str) -> str:
        """Return a query with the declarations before it of tables that are there."""
        known = [d for name, d in self.declared.items() if self.engine.inputs.has(name)]
        return "".join([*known, text])

    def _declare(self, text: str) -> str:
        """Keep the declarations that a text begins with; return what follows them."""
        while _DECLARATION.match(text):
            at = next((m.start(1) for m in _OUTSIDE.finditer(text) if m[1]), len(text))
            declaration, text = text[:at].strip() + ";\n", text[at + 1 :]
            self.shown = declaration
            named = _TABLE_NAME.search(declaration)
            name = named[1].strip("[]") if named else "input"
            parse(declaration + f"SELECT * FROM [{name}]")
            self.declared[name.lower()] = declaration
            click.echo(f"{name} is declared")
        return text

    def _run(self, text: str) -> None:
        self.shown = script = self.script(text)
        began = time.monotonic()
        result = self.engine.sql(script)
        self.last = text.strip()
        live = any(n.lower() in self._live() for n in input_names(parse(script)))
        screen = Screen(result.outputs, self.limit, live, self.color)
        sentences: list[str] = []
        whole = False
        try:
            sentences = result.each(screen.take).sentences()[1:]
            whole = True
        except EnoughError:
            pass
        finally:
            screen.end()
        more = "" if whole else "; .limit N shows more"
        took = f", {time.monotonic() - began:.2f} s" if self.timing else ""
        click.echo(f"({screen.counts(whole)}{took}{more})")
        for sentence in sentences:
            click.echo(sentence, err=True)

    def _live(self) -> set[str]:
        return {name.lower() for name in self.engine.inputs.live()}

    def _say_what_supplies(self) -> None:
        """Name the command that adds what a query reads and nobody has."""
        try:
            names = input_names(parse(self.shown))
        except StreamqlError:
            return
        for name in names:
            if not self.engine.inputs.has(name):
                click.echo(f"hint: .input {name}=PATH adds the input {name}", err=True)
