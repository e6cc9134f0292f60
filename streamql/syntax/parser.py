"""Text to tree: `parse` is all that the rest of the engine knows of Lark and the grammar.

Lark is imported at the first parse, and its tables are kept in the user's cache directory:
computing them takes a quarter of a second, loading them a tenth of that.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ParseError, Span
from . import nodes
from .build import build
from .source import blank_comments

if TYPE_CHECKING:
    from lark import Lark


def parse(text: str) -> nodes.Script:
    """Return the tree of a script; raise ParseError, and nothing else, if it is none.

    Places in the tree and in errors are character offsets into `text`.
    """
    clean = blank_comments(text)
    if not clean.strip():
        raise ParseError(
            "the query is empty",
            Span(0, len(text)),
            "the shortest one is SELECT * FROM input",
        )
    from lark.exceptions import UnexpectedInput

    try:
        tree = lark().parse(clean)
    except UnexpectedInput as problem:
        # only a failed parse pays for the messages
        from .messages import explain

        raise explain(clean, problem, _failure) from None
    return build(tree)


@cache
def lark() -> Lark:
    """Return the parser made from grammar/streamql.lark."""
    from lark import Lark

    return Lark(
        grammar_text(),
        start="script",
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        maybe_placeholders=True,
        # Lark checks that file and grammar belong together, and does without a file it cannot
        # read or write
        cache=_cache_file() or False,
    )


def grammar_text() -> str:
    """Return the grammar: of the wheel, or else of the checkout."""
    # not importlib.resources: its import alone takes 15 ms of a start
    here = Path(__file__)
    packaged = here.with_name("streamql.lark")
    checkout = here.parents[2] / "grammar" / "streamql.lark"
    return (packaged if packaged.is_file() else checkout).read_text(encoding="utf-8")


def _failure(clean: str) -> int | None:
    """Return the offset at which a text stops being a script, or None if it is one."""
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput

    try:
        lark().parse(clean)
    except UnexpectedInput as problem:
        if isinstance(problem, UnexpectedCharacters):
            return int(problem.pos_in_stream)
        token = getattr(problem, "token", None)
        return len(clean) if token is None or token.type == "$END" else int(token.start_pos)
    return None


def _cache_file() -> str | None:
    """Return the file for the parser's tables, or None where there is no place for one.

    One file for each Python, since the tables of one do not serve another; a directory of the
    user and never a shared one, since whoever can write there can change what is parsed.
    """
    try:
        if base := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
            directory = Path(base) / "streamql"
        elif sys.platform == "darwin":
            directory = Path.home() / "Library" / "Caches" / "streamql"
        else:
            directory = Path.home() / ".cache" / "streamql"
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    version = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
    return str(directory / f"grammar-{version}.bin")
