"""All mistakes of a script at once: `parse_all` goes on behind each one.

A script that is no sentence is cut into its tables, steps and statements, and each of them is
parsed alone, the rest blanked out so that all places stay. What is sound goes into the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ParseError, Span
from . import nodes
from .clauses import further_errors
from .parser import parse
from .source import blank_comments

_MOST = 50
"""Broken quotes and comments that are looked behind; more are no query."""
_WORD = re.compile(
    r"""N?'[^']*(?:''[^']*)*' | "[^"\n]*(?:""[^"\n]*)*" | \[[^\]\n]*(?:\]\][^\]\n]*)*\]
    | \w+(?:\.\d+)? | [^\s\w]""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Recovered:
    """What could be read of a script.

    Attributes:
        script: the tables, steps and statements that are sound, and what is sound of statements.
        errors: one for each broken clause, in the order of the text.
        broken: the names of steps that are not: others may read them.
    """

    script: nodes.Script
    errors: tuple[ParseError, ...] = ()
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    kind: str
    span: Span
    name: nodes.Name | None = None


def parse_all(text: str) -> Recovered:
    """Return what can be read of a script, and all of its syntax errors. Raises nothing."""
    try:
        return Recovered(parse(text))
    except ParseError as error:
        first = error
    clean, errors = _cleaned(text)
    if not clean.strip():
        return Recovered(_script(text, [], [], []), tuple((errors or [first])[:1]))
    poisoned = [e.span.start for e in errors if e.span is not None]
    tables: list[nodes.CreateTable] = []
    steps: list[nodes.Step] = []
    statements: list[nodes.Query] = []
    broken: list[str] = []
    for piece in _pieces(clean):
        try:
            found = parse(_alone(clean, piece))
        except ParseError as alone:
            if piece.name is not None:
                broken.append(piece.name.text)
            if any(_is_in(at, piece, clean) for at in poisoned):
                continue
            seen = first.span is not None and _is_in(first.span.start, piece, clean)
            told = first if seen else alone  # the first one has seen what comes behind
            more, rest = further_errors(clean, _words_in(clean, piece), told)
            errors += (told, *more)
            if rest is not None and piece.kind == "statement":
                statements.append(rest)
            continue
        if piece.kind == "table":
            tables += found.tables
        elif piece.name is not None:
            steps.append(nodes.Step(piece.span, piece.name, found.statements[0]))
        else:
            statements += found.statements
    errors = errors or [first]
    errors.sort(key=lambda e: e.span.start if e.span else 0)
    return Recovered(_script(text, tables, steps, statements), tuple(errors), tuple(broken))


def _script(
    text: str,
    tables: list[nodes.CreateTable],
    steps: list[nodes.Step],
    statements: list[nodes.Query],
) -> nodes.Script:
    return nodes.Script(Span(0, len(text)), tuple(tables), tuple(steps), tuple(statements))


def _cleaned(text: str) -> tuple[str, list[ParseError]]:
    """Return the text without comments, and the errors of quotes and comments without an end.

    What follows such a mark on its line is left out.
    """
    errors: list[ParseError] = []
    for _ in range(_MOST):
        try:
            return blank_comments(text), errors
        except ParseError as error:
            errors.append(error)
            start = error.span.start if error.span else 0
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            text = text[:start] + " " * (end - start) + text[end:]
    return "", errors


def _is_in(place: int, piece: _Piece, clean: str) -> bool:
    """Tell whether a place is in a piece, or in the blanks behind it."""
    start, end = piece.span.start, piece.span.end
    return start <= place <= end or (place > end and not clean[end:place].strip())


def _alone(clean: str, piece: _Piece) -> str:
    """Return a text of which only the piece is left; a table gets a statement to go with it."""
    start, end = piece.span.start, piece.span.end
    return " " * start + clean[start:end] + (" SELECT a FROM b" if piece.kind == "table" else "")


def _words_in(clean: str, piece: _Piece) -> list[re.Match[str]]:
    return list(_WORD.finditer(clean, piece.span.start, piece.span.end))


def _pieces(clean: str) -> list[_Piece]:
    """Cut a text at what begins a table, a step or a statement."""
    words = list(_WORD.finditer(clean))
    found: list[_Piece] = []
    at = 0
    while at < len(words):
        word = words[at].group().upper()
        if word == ";":
            at += 1
        elif word == "WITH":
            steps, at = _steps(clean, words, at + 1)
            found += steps
        else:
            end = _statement_end(clean, words, at + 1)
            last = words[end - 1].end()
            kind = "table" if word == "CREATE" else "statement"
            found.append(_Piece(kind, Span(words[at].start(), last)))
            at = end
    return found


def _statement_end(clean: str, words: list[re.Match[str]], at: int) -> int:
    """Return the number of the first word behind a statement whose first word is before `at`."""
    depth = 1 if words[at - 1].group() == "(" else 0
    seen = words[at - 1].group().upper() in {"SELECT", "("}
    while at < len(words):
        word = words[at].group().upper()
        before = words[at - 1].group().upper()
        if word == ";":
            return at
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif word == "SELECT" and before not in {"UNION", "ALL", "(", "."}:
            # at the beginning of a line it begins a statement even where a ) is missing
            if depth <= 0 and seen:
                return at
            if depth > 0 and _begins_line(clean, words[at].start()):
                return at
            seen = True
        elif word in {"WITH", "CREATE"} and depth <= 0 and _begins_line(clean, words[at].start()):
            return at
        elif word == "SELECT":
            seen = True
        if word == ")" and depth == 0 and _is_table(words, at):
            return at + 1
        at += 1
    return at


def _is_table(words: list[re.Match[str]], at: int) -> bool:
    """Tell whether the ) at this place ends a CREATE TABLE."""
    following = words[at + 1].group().upper() if at + 1 < len(words) else ""
    depth = 0
    for number in range(at, -1, -1):
        depth += {")": 1, "(": -1}.get(words[number].group(), 0)
        if depth == 0:
            table = [w.group().upper() for w in words[max(0, number - 3) : number]]
            return table[:2] == ["CREATE", "TABLE"] and following in {"WITH", "SELECT", "CREATE"}
    return False


def _begins_line(clean: str, start: int) -> bool:
    return start == 0 or clean[start - 1] == "\n"


def _steps(clean: str, words: list[re.Match[str]], at: int) -> tuple[list[_Piece], int]:
    """Return the steps of a WITH whose first word is number `at`, and the word behind them."""
    found: list[_Piece] = []
    while at + 2 < len(words) and [w.group().upper() for w in words[at + 1 : at + 3]] == [
        "AS",
        "(",
    ]:
        end = _closing(clean, words, at + 2)
        name = words[at]
        inner = Span(words[at + 2].end(), words[end - 1].end())
        text = name.group()
        quoted = text[0] in '["'
        plain = text[1:-1] if quoted else text
        place = Span(name.start(), name.end())
        found.append(_Piece("step", inner, nodes.Name(place, plain, quoted)))
        at = end
        if at < len(words) and words[at].group() == ")":
            at += 1
        if at < len(words) and words[at].group() == ",":
            at += 1
        else:
            break
    return found, at


def _closing(clean: str, words: list[re.Match[str]], opening: int) -> int:
    """Return the number of the ) that closes a step, or of the word where it must have ended."""
    depth = 0
    for number in range(opening, len(words)):
        word = words[number].group()
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if depth == 0 or _step_follows(words, number):
                return number
        elif word == ";" or (
            word.upper() == "SELECT"
            and _begins_line(clean, words[number].start())
            and words[number - 1].group() != "("
            and words[number - 1].group().upper() != "UNION"
        ):
            return number
    return len(words)


def _step_follows(words: list[re.Match[str]], at: int) -> bool:
    """Tell whether `, name AS (SELECT` comes behind a ): then a step ends there."""
    following = [w.group().upper() for w in words[at + 1 : at + 6]]
    return (
        len(following) == 5
        and following[0] == ","
        and following[2:4] == ["AS", "("]
        and following[4] in {"SELECT", "("}
    )
