"""What Tab offers: keywords, functions, inputs, their columns, and files for the commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from ...errors import StreamqlError
from ...functions.documented import entries
from ...syntax.parser import lark
from .commands import COMMANDS, fields

if TYPE_CHECKING:
    from .session import Session

_WORD = re.compile(r"(?:\[[^\]]*|[\w.]+)$")
_READS = re.compile(r"\b(?:FROM|JOIN)\s+$", re.IGNORECASE)
_TOKEN_WORD = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
_PLAIN = re.compile(r"[^\W\d]\w*")
_WITH_FILES = ("input", "reference", "function", "save")


def _keywords() -> frozenset[str]:
    """Return the words of the grammar: those its terminals begin with."""
    found = (_TOKEN_WORD.match(str(t.pattern.value)) for t in lark().terminals)
    windows = ("TUMBLINGWINDOW", "HOPPINGWINDOW", "SLIDINGWINDOW", "SESSIONWINDOW")
    words = {m.group() for m in found if m is not None and len(m.group()) > 1}
    return frozenset(words | set(windows)) - {"N", "WORD", "E"}


KEYWORDS = _keywords()


class QueryCompleter(Completer):
    """Offers what could stand at the cursor. Columns are read from the data, once an input."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._paths = PathCompleter(expanduser=True)
        self._columns: dict[tuple[str, str], list[str]] = {}
        self._functions = sorted({e.name for e in entries() if _PLAIN.fullmatch(e.name)})

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Yield what could stand at the cursor, the likeliest first."""
        before = document.text_before_cursor
        if before.lstrip().startswith("."):
            yield from self._commands(before.lstrip(), event)
            return
        found = _WORD.search(before)
        word = found.group() if found else ""
        seen = set()
        for text, about in self._words(before[: len(before) - len(word)], word, document.text):
            if text.lower().startswith(word.lower()) and text.lower() not in seen:
                seen.add(text.lower())
                yield Completion(text, -len(word), display_meta=about)

    def _words(self, before: str, word: str, whole: str) -> Iterator[tuple[str, str]]:
        inputs = self._session.engine.inputs.describe()
        named = [n for n in inputs if re.search(rf"\b{re.escape(n)}\b", whole, re.IGNORECASE)]
        if _READS.search(before):
            yield from ((quoted(name), "input") for name in inputs)
            return
        for name in named or inputs:
            for column in self._columns_of(name):
                yield quoted(column), f"column of {name}"
                if "." in word:
                    yield f"{quoted(name)}.{quoted(column)}", f"column of {name}"
        functions = self._session.engine.functions
        yield from ((f"udf.{alias}(", "function") for alias in functions.by_alias())
        yield from ((f"uda.{alias}(", "aggregate") for alias in functions.aggregates())
        yield from ((quoted(name), "input") for name in inputs)
        lower = word.islower()
        for name in sorted(KEYWORDS):
            yield name.lower() if lower else name, ""
        for name in self._functions:
            yield f"{name.lower() if lower else name}(", "function"

    def _columns_of(self, name: str) -> list[str]:
        key = (name, self._session.engine.inputs.describe()[name])
        if key not in self._columns:
            try:
                rows = self._session.engine.inputs.sample(name)
            except StreamqlError:
                rows = None
            self._columns[key] = [] if rows is None else list(fields(rows))
        return self._columns[key]

    def _commands(self, before: str, event: CompleteEvent) -> Iterator[Completion]:
        name, blank, rest = before[1:].partition(" ")
        if not blank:
            for command in COMMANDS:
                if command.startswith(name.lower()):
                    yield Completion(
                        f".{command}", -len(before), display_meta=COMMANDS[command].about
                    )
        elif name == "schema":
            for known in self._session.engine.inputs.describe():
                if known.lower().startswith(rest.lower()):
                    yield Completion(known, -len(rest))
        elif name in _WITH_FILES:
            path = rest.partition("=")[2] if "=" in rest else rest
            yield from self._paths.get_completions(Document(path), event)


def quoted(name: str) -> str:
    """Return a name as it is written in a query."""
    if _PLAIN.fullmatch(name) and name.upper() not in KEYWORDS:
        return name
    return "[" + name.replace("]", "]]") + "]"
