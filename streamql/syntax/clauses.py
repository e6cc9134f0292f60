"""The clauses of a SELECT that is no sentence: which of them are broken, and what the rest says.

A SELECT is cut into the columns of its list and its clauses, and each is parsed as that of a SELECT
that is otherwise sound. It is written where it stands in the text, so that all places stay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ParseError, Span
from . import nodes
from .parser import parse

_BEGINS = frozenset({"INTO", "FROM", "WHERE", "GROUP", "HAVING"})
_MOST = 20
"""Errors of one SELECT that are looked for; who has made more will try again anyway."""
_SHORTEST = "SELECT * FROM t"
"""A sound SELECT, which what stands behind FROM is put behind."""


@dataclass(frozen=True)
class Clause:
    """A clause of a SELECT, or a column of its list (`column`)."""

    word: str
    span: Span

    @property
    def column(self) -> bool:
        return self.word == "SELECT"


def further_errors(
    clean: str, words: list[re.Match[str]], first: ParseError
) -> tuple[list[ParseError], nodes.Query | None]:
    """Return the errors of a SELECT beside the first one, and the SELECT without what is broken.

    Args:
        clean: the text without comments.
        words: those of the SELECT alone.
        first: what the parser found.

    The query is None where nothing sound is left, and for a UNION.
    """
    selects = _selects(words)
    if len(selects) > 1:
        errors = []
        begun = [s for s in selects if s and s[0].start() <= _start(first)]
        for select in selects:
            if begun and select is begun[-1]:
                errors += further_errors(clean, select, first)[0]
            elif (error := _error_in(clean, select)) is not None:
                errors += (error, *further_errors(clean, select, error)[0])
        return errors, None
    clauses = _clauses(words)
    if not clauses or first.span is None:
        return [], None
    broken = {c for c in clauses if _holds(c, first.span, clean)}
    if not broken:
        return [], None
    errors = []
    for clause in clauses:
        if clause in broken or len(errors) == _MOST:
            continue
        error = _error_of(clean, clause, words[0].start())
        if error is not None:
            broken.add(clause)
            if clean.startswith(")", _start(error)) and "closes" in error.message:
                continue  # its ( is missing in a column before, of which an error tells
            if error.span is not None and _holds(clause, error.span, clean):
                errors.append(error)
    return errors, _rest(clean, words, clauses, broken)


def _selects(words: list[re.Match[str]]) -> list[list[re.Match[str]]]:
    """Cut what UNION puts together into its SELECTs."""
    parts: list[list[re.Match[str]]] = [[]]
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word.group(), 0)
        if word.group().upper() == "UNION" and depth <= 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _start(error: ParseError) -> int:
    return 0 if error.span is None else error.span.start


def _error_in(clean: str, words: list[re.Match[str]]) -> ParseError | None:
    """Return what is wrong with a SELECT of a UNION alone."""
    if not words:
        return None
    start = words[0].start()
    try:
        parse(" " * start + clean[start : words[-1].end()])
    except ParseError as error:
        return error
    return None


def _clauses(words: list[re.Match[str]]) -> list[Clause]:
    """Cut a SELECT into clauses; nothing for what is more than one SELECT."""
    texts = [w.group().upper() for w in words]
    # a.select is a field
    texts = [t if at == 0 or texts[at - 1] != "." else "" for at, t in enumerate(texts)]
    if texts.count("SELECT") != 1 or texts[0] != "SELECT" or "MATCH_RECOGNIZE" in texts:
        return []
    found: list[Clause] = []
    begin, word, depth = 1, "SELECT", 0
    for at in range(1, len(words) + 1):
        text = texts[at] if at < len(words) else ""
        ends = at == len(words) or (text in _BEGINS and (text != "INTO" or word == "SELECT"))
        if not ends and text in ("(", ")"):
            depth = max(0, depth + (1 if text == "(" else -1))
        if ends or (word == "SELECT" and text == "," and depth == 0):
            if at > begin:
                found.append(Clause(word, Span(words[begin].start(), words[at - 1].end())))
            # a word that begins a clause is part of it, a comma is not
            begin = at if ends else at + 1
            word = text if ends else word
            depth = 0 if ends else depth
    return found


def _holds(clause: Clause, place: Span, clean: str) -> bool:
    """Tell whether a place is in a clause, in the blanks behind it, or the comma before it."""
    start, end = clause.span.start, clause.span.end
    if place.start < start:
        comma = clause.column and clean[place.start : place.end] == ","
        return comma and not clean[place.end : start].strip(" \t\r\n,")
    return place.start <= end or not clean[end : place.start].strip(" \t\r\n,")


def _error_of(clean: str, clause: Clause, start: int) -> ParseError | None:
    """Return what is wrong with a clause in a SELECT that is otherwise sound."""
    begin, end = clause.span.start, clause.span.end
    text = clean[begin:end]
    if clause.column:
        sentence = " " * start + "SELECT".ljust(begin - start) + text + " FROM t"
    else:
        before = "SELECT *" if clause.word in ("INTO", "FROM") else _SHORTEST
        if clause.word == "HAVING":
            before += " GROUP BY a"
        if begin < len(before) + 1:
            return None
        behind = " FROM t" if clause.word == "INTO" else ""
        sentence = " " * (begin - len(before) - 1) + before + " " + text + behind
    try:
        parse(sentence)
    except ParseError as error:
        return error
    return None


def _rest(
    clean: str, words: list[re.Match[str]], clauses: list[Clause], broken: set[Clause]
) -> nodes.Query | None:
    """Return the SELECT without its broken clauses; a column of the list goes with its comma."""
    if any(c.word == "FROM" for c in broken):
        return None  # nothing is known of the names in the rest
    columns = [c for c in clauses if c.column and c not in broken]
    if not columns:
        return None
    kept = list(" " * len(clean))
    begin = words[0].start()
    kept[begin : begin + 6] = "SELECT"
    for clause in clauses:
        if clause not in broken:
            start, end = clause.span.start, clause.span.end
            kept[start:end] = clean[start:end]
            if clause.column and clause != columns[0]:
                kept[clean.rindex(",", 0, start)] = ","
    try:
        return parse("".join(kept)).statements[0]
    except ParseError:
        return None
