"""The prompt of a terminal: history, colours, completion, entries of several lines."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style

from .completion import KEYWORDS, QueryCompleter
from .session import ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.document import Document

    from .session import Session

_PROMPT = "streamql> "
_STYLE = Style.from_dict({
    "keyword": "ansiblue bold",
    "function": "ansicyan",
    "text": "ansigreen",
    "number": "ansimagenta",
    "comment": "ansibrightblack italic",
    "dot": "ansiyellow",
})  # fmt: skip
_TOKEN = re.compile(
    r"""
    (?P<comment>--.*|/\*.*?(?:\*/|$))
    | (?P<text>'[^']*'?)
    | (?P<quoted>"[^"]*"?|\[[^\]]*\]?)
    | (?P<number>\b\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\b)
    | (?P<call>[^\W\d][\w.]*(?=\s*\())
    | (?P<word>[^\W\d]\w*)
    """,
    re.VERBOSE,
)


def converse(session: Session) -> None:
    """Read entries until Ctrl-D or `.quit`."""
    click.echo("A query ends with a semicolon; .help lists commands, Ctrl-D leaves.")
    reader: PromptSession[str] = PromptSession(
        _PROMPT,
        history=_history(),
        lexer=QueryLexer(),
        style=_STYLE,
        completer=QueryCompleter(session),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        prompt_continuation=lambda width, _line, _wrapped: "... ".rjust(width),
        key_bindings=_keys(),
    )
    while True:
        try:
            text = reader.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        try:
            session.submit(text)
        except EOFError:
            return


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        """Take what is whole; else begin another line."""
        buffer = event.current_buffer
        if ends(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys


def _history() -> History:
    """Return the history in the user's state directory; of this session only if there is none."""
    try:
        base = os.environ.get("XDG_STATE_HOME")
        directory = (Path(base) if base else Path.home() / ".local" / "state") / "streamql"
        directory.mkdir(parents=True, exist_ok=True)
        return FileHistory(str(directory / "history"))
    except (OSError, RuntimeError):
        return InMemoryHistory()


class QueryLexer(Lexer):
    """Gives each line of a query its colours."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return what gives the coloured pieces of a line."""
        lines = document.lines
        return lambda number: coloured(lines[number]) if number < len(lines) else []


def coloured(line: str) -> StyleAndTextTuples:
    """Return a line in pieces, each with the name of its style."""
    if line.startswith("."):
        return [("class:dot", line)]
    pieces: StyleAndTextTuples = []
    at = 0
    for found in _TOKEN.finditer(line):
        kind = str(found.lastgroup)
        if kind in ("word", "call"):
            known = found.group().upper() in KEYWORDS
            kind = "keyword" if known else "function" if kind == "call" else ""
        pieces.append(("", line[at : found.start()]))
        pieces.append((f"class:{kind}" if kind and kind != "quoted" else "", found.group()))
        at = found.end()
    pieces.append(("", line[at:]))
    return [piece for piece in pieces if piece[1]]
