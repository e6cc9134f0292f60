"""What can be said about a text before it is parsed: comments, quotes and brackets.

Block comments nest, which no regular expression can follow; so comments are blanked out here, and
all offsets stay those of the text that was given.
"""

from __future__ import annotations

import re

from ..errors import ParseError, Span

MOST_NESTED = 200
"""How deep parentheses and expressions may nest; later stages recurse over the tree."""

RESERVED = frozenset({
    "SELECT", "INTO", "FROM", "WHERE", "GROUP", "HAVING", "UNION", "WITH", "AS", "ON", "JOIN",
    "AND", "OR", "NOT", "CASE", "WHEN", "THEN", "ELSE", "END", "IN", "IS", "LIKE", "BETWEEN",
    "NULL", "DISTINCT",
})  # fmt: skip
"""The words that are no names unless quoted or after a dot: those NAME refuses in the grammar."""

_PIECE = re.compile(
    r"""
    '[^']*(?:''[^']*)*'
    | "[^"\n]*(?:""[^"\n]*)*"
    | \[[^\]\n]*(?:\]\][^\]\n]*)*\]
    | --[^\r\n]*
    | /\*
    | ['"\[()]
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_NOT_A_LINE_END = re.compile(r"[^\r\n]")

_UNCLOSED = {
    "'": (
        "this text has no closing quote",
        "a quote inside of a text is written twice: 'it''s'",
    ),
    '"': ("this quoted name has no closing quote", "text values are written in single quotes"),
    "[": ("this bracket has no closing ]", "a ] inside of a name is written twice: [a]]b]"),
}


def blank_comments(text: str) -> str:
    """Return the text with blanks for comments and byte-order mark, each offset unchanged.

    Raises ParseError for a comment, text, quoted name or bracket without an end, and for
    parentheses nested too deep.
    """
    kept: list[str] = []
    position = depth = 0
    if text.startswith("\ufeff"):
        kept.append(" ")
        position = 1
    search = position
    while piece := _PIECE.search(text, search):
        found, start, search = piece.group(), piece.start(), piece.end()
        if found.startswith("--") or found == "/*":
            end = search if found != "/*" else _comment_end(text, start)
            kept += (text[position:start], _NOT_A_LINE_END.sub(" ", text[start:end]))
            position = search = end
        elif found == "(":
            depth += 1
            if depth > MOST_NESTED:
                raise too_deep(Span(start, start + 1))
        elif found == ")":
            depth -= 1
        elif found in _UNCLOSED:
            message, hint = _UNCLOSED[found]
            raise ParseError(message, Span(start, start + 1), hint)
        elif len(found) == 2 and found != "''":
            raise ParseError(f"{found} is an empty name", Span(start, search))
    kept.append(text[position:])
    return "".join(kept)


def too_deep(span: Span) -> ParseError:
    """Return the error for an expression or query that nests too deep."""
    return ParseError(
        f"this is nested more than {MOST_NESTED} levels deep",
        span,
        "compute the inner parts in steps of WITH, and use IN (...) for long lists",
    )


def _comment_end(text: str, start: int) -> int:
    """Return the offset after the comment that opens at `start`; comments nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise ParseError(
        "this comment has no end", Span(start, start + 2), "close it with */ (comments nest)"
    )
