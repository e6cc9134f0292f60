"""What to tell a person whose text is not a sentence of the language.

`explain` looks at the place where the parser stopped. Each rule of RULES knows one mistake; the
first that recognises its own speaks, and otherwise the message says what was found and what could
have stood there. A rule that guesses a repair (a misspelt word, a missing comma) tries it out:
only a repair that lets the parser get further is offered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ParseError, Span
from .absent import absent_construct
from .advice import advice
from .expected import accepted, describe
from .source import RESERVED

_TOKEN = re.compile(
    r"""N?'[^']*(?:''[^']*)*' | "[^"\n]*" | \[[^\]\n]*(?:\]\][^\]\n]*)*\]
    | \.?\d[\w.]* | [^\W\d]\w* | <>|!=|<=|>=|!<|!>|==|\|\||&& | \S""",
    re.VERBOSE | re.IGNORECASE,
)

_CLAUSES = frozenset({"SELECT", "INTO", "FROM", "WHERE", "GROUP", "HAVING", "UNION", "WITH"})
# words that stand where a name could stand as well, so that a slip makes them a name
_SPELLING = (
    *sorted(RESERVED), "BY", "TIMESTAMP", "PARTITION", "OVER", "CROSS", "OUTER", "APPLY", "LEFT",
    "INNER", "MATCH_RECOGNIZE", "MEASURES", "AFTER", "MATCH", "SKIP", "NEXT", "ROW", "PATTERN",
    "DEFINE", "LIMIT", "ORDER", "CREATE", "TABLE",
)  # fmt: skip
_WORDS = frozenset(_SPELLING)
_NEEDS = {
    "TIMESTAMP": ("BY", "write TIMESTAMP BY and the field that holds the time"),
    "PARTITION": ("BY", "write PARTITION BY and the key"),
    "GROUP": ("BY", "write GROUP BY, a window and the keys"),
    "ORDER": ("BY", "write ORDER BY and a field"),
    "CROSS": ("APPLY", "write CROSS APPLY GetArrayElements(field) AS name"),
    "OUTER": ("APPLY", "write OUTER APPLY GetArrayElements(field) AS name"),
    "LEFT": ("JOIN", "write LEFT JOIN input ON condition"),
    "INNER": ("JOIN", "write INNER JOIN input ON condition"),
    "LIMIT": ("DURATION(unit, n)", "write LIMIT DURATION(minute, 5)"),
    "AFTER": ("MATCH SKIP TO NEXT ROW", "write AFTER MATCH SKIP TO NEXT ROW"),
}
_CONDITION_WORDS = frozenset({
    "=", "<>", "!=", "<", "<=", ">", ">=", "!<", "!>", "AND", "OR", "NOT", "IN", "IS", "LIKE",
    "BETWEEN",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A word, number, text or sign of the query; `upper` is "" at the end of the query."""

    text: str
    start: int

    @property
    def upper(self) -> str:
        return self.text.upper()

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + len(self.text))

    @property
    def shown(self) -> str:
        """The word as a message names it."""
        if not re.match(r"\w", self.text) and self.text[:1] not in ("'", '"', "["):
            return f"'{self.text}'"
        return self.text if len(self.text) <= 40 else f"{self.text[:37]}..."


@dataclass(frozen=True, slots=True)
class Stop:
    """The place where the parser stopped: all words of the query and which of them it refused."""

    text: str
    words: list[Word]
    index: int
    accepts: frozenset[str]
    failure: Callable[[str], int | None]

    @property
    def found(self) -> Word:
        return self.words[self.index]

    def back(self, count: int = 1) -> Word:
        """Return the word `count` places before the refused one."""
        at = self.index - count
        return self.words[at] if at >= 0 else Word("", 0)

    def ahead(self, count: int = 1) -> Word:
        """Return the word `count` places after the refused one; the end of the query repeats."""
        return self.words[min(self.index + count, len(self.words) - 1)]

    def repaired_by(self, start: int, end: int, new: str) -> bool:
        """Tell whether the parser gets past the refused word once text[start:end] is `new`."""
        failure = self.failure(self.text[:start] + new + self.text[end:])
        shift = len(new) - (end - start)
        return failure is None or failure > self.found.start + len(self.found.text) + shift


def explain(text: str, problem: Any, failure: Callable[[str], int | None]) -> ParseError:
    """Return the error for a text (its comments blanked) that Lark refused.

    `failure` gives the offset at which another text stops being a script, None if it is one.
    """
    words = [Word(m.group(), m.start()) for m in _TOKEN.finditer(text)]
    place = _place(text, problem)
    # a number that runs into a name is one word here and two for the lexer
    index = next((i for i, w in enumerate(words) if w.start + len(w.text) > place), len(words))
    words.append(Word("", len(text.rstrip())))
    stop = Stop(text, words, index, accepted(problem), failure)
    for rule in RULES:
        if error := rule(stop):
            return error
    return _unexpected(stop)


def _place(text: str, problem: Any) -> int:
    token = getattr(problem, "token", None)
    if token is not None:
        return len(text) if token.type == "$END" else int(token.start_pos)
    return int(getattr(problem, "pos_in_stream", None) or 0)


def _unexpected(stop: Stop, hint: str | None = None) -> ParseError:
    """Return the plain message: what was found, and what could stand there."""
    expected = describe(stop.accepts)
    found = stop.found
    hint = hint or advice(stop.back(2).upper, stop.back().upper, stop.accepts)
    if found.text in ("", ";"):
        return ParseError(f"the query ends where {expected} should stand", found.span, hint)
    return ParseError(f"found {found.shown} where {expected} should stand", found.span, hint)


# -- the rules, most certain first --------------------------------------------------------------


def _strange_character(stop: Stop) -> ParseError | None:
    found = stop.found
    if not found.text or found.text[0] == "\ufeff" or found.text[0] in "'\"[":
        return None
    if found.text[0].isdigit() and re.search(r"[^\W\d]", found.text):
        if re.fullmatch(r"\d[\w]*", found.text):
            hint = f"a name that starts with a digit is written in brackets: [{found.text}]"
            return ParseError(f"{found.text} is neither a number nor a name", found.span, hint)
    elif found.text[0].isdigit() and found.text.count(".") > 1:
        return ParseError(f"{found.text} is not a number", found.span)
    quotes = {"“": '"', "”": '"', "‘": "'", "’": "'", "`": "'"}
    if found.text in quotes:
        hint = "text is written in straight single quotes 'text', and a name in brackets [name]"
        return ParseError(f"{found.text} is no quote of the language", found.span, hint)
    if found.text in "@#$":
        hint = f"a name with a {found.text} in it is written in brackets: [{found.text}name]"
        return ParseError(f"found {found.text}: there are no variables", found.span, hint)
    if len(found.text) == 1 and (not found.text.isprintable() or found.text in "\\!:"):
        shown = found.text if found.text.isprintable() else f"the character U+{ord(found.text):04X}"
        return ParseError(f"{shown} has no meaning in the language", found.span)
    return None


def _no_such_construct(stop: Stop) -> ParseError | None:
    window = [stop.back(2), stop.back(), stop.found]
    after = [stop.ahead().upper, stop.ahead(2).upper]
    if "_LIMIT" in stop.accepts and "LIMIT" in (stop.found.upper, stop.back().upper):
        return None
    if known := absent_construct([w.upper for w in window], after):
        at, message, hint = known
        return ParseError(message, window[2 - at].span, hint)
    return None


def _misspelt(stop: Stop) -> ParseError | None:
    # the refused word itself, or the one before, which passed for a name
    for word in (stop.found, stop.back()):
        if not word.text.isidentifier() or word.upper in _WORDS:
            continue
        for near in difflib.get_close_matches(word.upper, _SPELLING, n=2, cutoff=0.6):
            if stop.repaired_by(word.start, word.start + len(word.text), near):
                return ParseError(
                    f"{word.text} has no meaning here", word.span, f"did you mean {near}?"
                )
    return None


def _word_incomplete(stop: Stop) -> ParseError | None:
    if stop.found.upper == "LIMIT" and "_LIMIT" in stop.accepts:
        # the lexer takes LIMIT for a keyword only before DURATION and a parenthesis
        return ParseError("LIMIT without DURATION(unit, n)", stop.found.span, _NEEDS["LIMIT"][1])
    for word in (stop.back(), stop.found):
        need = _NEEDS.get(word.upper)
        follows = stop.found if word is not stop.found else stop.ahead()
        if need and not need[0].startswith(follows.upper or "?"):
            usable = word is not stop.found or f"_{word.upper}" in stop.accepts
            first = need[0].partition(" ")[0]
            if usable and stop.repaired_by(follows.start, follows.start, f"{first} "):
                return ParseError(f"{word.upper} without {need[0]}", word.span, need[1])
    return None


def _unclosed(stop: Stop) -> ParseError | None:
    """Point at the opening parenthesis or CASE when a clause or the end comes before its end."""
    found = stop.found
    if found.text == ")" and "RPAR" not in stop.accepts and _open(stop, "(", ")") is None:
        return ParseError("this ) closes nothing", found.span, "remove it, or open one before")
    ends = found.upper in _CLAUSES | {"", ";", "AS"}
    where = f"before {found.upper}" if found.text else "before the query ends"
    if "_END" in stop.accepts and (ends or found.text in {")", ","}):
        case = _open(stop, "CASE", "END")
        hint = "a CASE is written CASE WHEN condition THEN value ELSE value END"
        return ParseError(f"this CASE has no END {where}", case.span, hint) if case else None
    if "RPAR" in stop.accepts and ends and (opening := _open(stop, "(", ")")):
        return ParseError(f"this ( is not closed {where}", opening.span, "add the missing )")
    return None


def _open(stop: Stop, opening: str, closing: str) -> Word | None:
    """Return the innermost `opening` before the refused word that has no `closing`."""
    depth = 0
    for i in range(stop.index - 1, -1, -1):
        word = stop.words[i]
        if i and stop.words[i - 1].text == ".":
            continue
        if word.upper == closing:
            depth += 1
        elif word.upper == opening:
            if depth == 0:
                return word
            depth -= 1
    return None


def _comma_too_many(stop: Stop) -> ParseError | None:
    last = stop.back()
    if last.text != ",":
        return None
    if stop.found.upper in _CLAUSES or stop.found.text in {"", ")", ",", ";"}:
        hint = "remove it, or write what is missing after it"
        return ParseError("nothing follows this comma", last.span, hint)
    return None


def _comma_missing(stop: Stop) -> ParseError | None:
    found = stop.found
    if "COMMA" not in stop.accepts or not found.text or found.upper in _WORDS - {"CASE"}:
        return None
    if stop.repaired_by(found.start, found.start, ", "):
        return _unexpected(stop, f"is a comma missing before {found.shown}?")
    return None


def _comparison_as_value(stop: Stop) -> ParseError | None:
    if stop.found.upper not in _CONDITION_WORDS or not _ends_value(stop.back()):
        return None
    if {"_AND", "_OR"} <= stop.accepts:
        hint = "join comparisons with AND: low < x AND x < high"
        return ParseError("a comparison cannot be compared again", stop.found.span, hint)
    if "PLUS" in stop.accepts and "_AND" not in stop.accepts:
        return ParseError(
            f"found {stop.found.shown}: a condition is not a value",
            stop.found.span,
            "make it one with CASE WHEN ... THEN 1 ELSE 0 END",
        )
    return None


def _small_slip(stop: Stop) -> ParseError | None:
    """Tell of a comma for JOIN, a dash in a name, NOT NULL without IS."""
    found, last, after = stop.found, stop.back(), stop.ahead()
    if found.text == "," and "_JOIN" in stop.accepts:
        return _unexpected(stop, "inputs are joined with JOIN ... ON, and appended with UNION")
    if found.text == "-" and last.text.isidentifier() and after.text:
        name = stop.text[last.start : after.start + len(after.text)]
        if stop.repaired_by(last.start, last.start + len(name), f"[{name}]"):
            return _unexpected(stop, f"a name with a dash is written in brackets: [{name}]")
    if found.upper == "NULL" and last.upper == "NOT":
        return _unexpected(stop, "write IS NOT NULL")
    return None


def _ends_value(word: Word) -> bool:
    return bool(re.match(r"[\w'\"\[)]", word.text)) and word.upper not in RESERVED - {
        "END",
        "NULL",
    }


def _step_form(stop: Stop) -> ParseError | None:
    head = [stop.back(3), stop.back(2), stop.back()]
    opens = head[2].upper == "AS" and stop.accepts == {"LPAR"}
    starts = head[0 if opens else 1].upper in {"WITH", ","}
    if starts and (opens or stop.accepts == {"_AS"}):
        return _unexpected(stop, "a step is written WITH name AS (SELECT ...)")
    return None


def _text_in_double_quotes(stop: Stop) -> ParseError | None:
    if stop.found.text.startswith('"') and "STRING" in stop.accepts:
        return _unexpected(stop, "text is written in single quotes; double quotes make a name")
    return None


def _reserved_name(stop: Stop) -> ParseError | None:
    found = stop.found
    if found.upper == "FROM" and stop.back().upper == "SELECT":
        return _unexpected(stop, "write SELECT * to take all columns")
    if "BRACKETED" not in stop.accepts or found.upper not in RESERVED | {"ASC", "DESC"}:
        return None
    after = stop.ahead()
    alone = after.upper in _CLAUSES | {"AS", ""} or not re.match(r"[\w'\"\[(]", after.text)
    if alone and stop.repaired_by(found.start, found.start + len(found.text), f"[{found.text}]"):
        word = f"{found.upper} is a word of the language"
        return _unexpected(stop, f"{word}; write [{found.text}] to use it as a name")
    return None


RULES: tuple[Callable[[Stop], ParseError | None], ...] = (
    _strange_character,
    _no_such_construct,
    _unclosed,
    _comma_too_many,
    _misspelt,
    _word_incomplete,
    _text_in_double_quotes,
    _step_form,
    _small_slip,
    _comparison_as_value,
    _reserved_name,
    _comma_missing,
)
"""The mistakes that are recognised. A wrong guess is worse than none: certain ones come first."""
