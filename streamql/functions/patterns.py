"""Patterns of LIKE, PATINDEX and REGEXMATCH, translated to regular expressions.

Two engines run them. RE2 (inside Arrow) takes a whole column at once and needs time linear in the
text; it knows no look-around and no back-references. Patterns with these go to Python's `re`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_NOTHING = r"[^\x00-\x{10FFFF}]"
_SPACE = "\\x09-\\x0d\\x20\\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": _SPACE}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Like:
    """A LIKE pattern.

    Attributes:
        regex: its RE2 expression; `(?s)` is in it.
        kind: "equal", "starts", "ends", "contains" where `literal` says it all, else "regex".
    """

    regex: str
    kind: str
    literal: str


@lru_cache(maxsize=4096)
def like(pattern: str) -> Like:
    """Return the LIKE pattern: % any run, _ one character, [a-z] and [^x] sets; [%] is a percent.

    A bracket that is never closed matches nothing, as in T-SQL.
    """
    parts: list[str] = []
    literal = ""
    plain = True
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "%":
            parts.append(".*")
        elif char == "_":
            parts.append(".")
            plain = False
        elif char == "[":
            # the first character of a set is never its end: []] holds a bracket
            close = pattern.find("]", at + (2 if pattern[at : at + 1] == "^" else 1))
            inner = pattern[at:close]
            at = close + 1
            if close < 0:
                return Like(_NOTHING, "regex", "")
            if len(inner) == 1:
                parts.append(_escape(inner))
                literal += inner
            else:
                parts.append(_like_set(inner))
                plain = False
        else:
            parts.append(_escape(char))
            literal += char
    regex = rf"(?s)\A{''.join(parts)}\z"
    runs = [place for place, part in enumerate(parts) if part == ".*"]
    ends = [place for place in runs if 0 < place < len(parts) - 1]
    if not plain or ends or not literal:
        return Like(regex, "regex", literal)
    kinds = {(False, False): "equal", (True, False): "ends", (False, True): "starts"}
    kind = kinds.get((parts[0] == ".*", parts[-1] == ".*"), "contains")
    return Like(regex, kind, literal)


def patindex(pattern: str) -> str:
    """Return the RE2 expression that finds a PATINDEX pattern: open at an end only where % is."""
    regex = like(pattern).regex
    if regex == _NOTHING:
        return regex
    body = regex.removeprefix(r"(?s)\A").removesuffix(r"\z")
    start = "" if pattern.startswith("%") else r"\A"
    end = "" if pattern.endswith("%") else r"\z"
    while body.startswith(".*"):
        body = body[2:]
    while body.endswith(".*"):
        body = body[:-2]
    return f"(?s){start}(?:{body}){end}"


def _like_set(inner: str) -> str:
    """Return the character class of a set: ranges by code point, a dash at an end is a dash."""
    negated = inner.startswith("^")
    members = inner[1:] if negated else inner
    parts: list[str] = []
    at = 0
    while at < len(members):
        low = members[at]
        if members[at + 1 : at + 2] == "-" and at + 2 < len(members):
            high = members[at + 2]
            at += 3
            if low <= high:
                parts.append(f"{_escape(low)}-{_escape(high)}")
        else:
            parts.append(_escape(low))
            at += 1
    if not parts:
        return "." if negated else _NOTHING
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _escape(char: str) -> str:
    return re.escape(char)


class _InvalidError(Exception):
    """The pattern is no regular expression of ECMAScript."""


@dataclass(frozen=True, slots=True)
class Regex:
    """A translated ECMAScript expression: for RE2, or None where only Python's `re` can run it."""

    re2: str | None
    python: re.Pattern[str]


@lru_cache(maxsize=1024)
def ecmascript(pattern: str) -> Regex | None:
    """Return an ECMAScript expression for our engines; None if it is invalid.

    Case is ignored, ^ and $ are the ends of the text, the dot takes every character. Left to
    Python: look-around and back-references; a look-behind must have one fixed width there.
    """
    try:
        reader = _Reader(pattern)
        body = reader.read()
        python = re.compile(
            body.replace(_NOTHING, "(?!)").replace("\\x{end}", r"\Z"), re.IGNORECASE | re.DOTALL
        )
    except (_InvalidError, re.error, OverflowError, RecursionError):
        return None
    if reader.python_only:
        return Regex(None, python)
    # `python` stays at hand for what RE2 refuses for its size
    return Regex("(?is)" + body.replace("\\x{end}", r"\z"), python)


class _Reader:
    """Reads an ECMAScript expression from left to right and writes what both engines understand."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self.python_only = False

    def read(self) -> str:
        out: list[str] = []
        quantifiable = False
        while self._at < len(self._pattern):
            quantifier = self._match(r"(?:[*+?]|\{\d+(?:,\d*)?\})\??")
            if quantifier is not None:
                if not quantifiable:
                    raise _InvalidError
                out.append(quantifier)
                quantifiable = False
                continue
            char = self._next()
            quantifiable = char not in "^|"
            match char:
                case "$":
                    out.append("\\x{end}")
                    quantifiable = False
                case "(":
                    out.append(self._group())
                    quantifiable = False
                case "[":
                    out.append(self._set())
                case "\\":
                    out.append(self._outside_escape())
                case "^" | "|" | ")" | ".":
                    out.append(char)
                case _:
                    out.append(_escape(char))
        return "".join(out)

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise _InvalidError
        self._at += 1
        return self._pattern[self._at - 1]

    def _match(self, shape: str) -> str | None:
        found = re.compile(shape, re.ASCII).match(self._pattern, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _group(self) -> str:
        if self._match(r"\?:") is not None:
            return "(?:"
        look = self._match(r"\?<?[=!]")
        if look is not None:
            self.python_only = True
            return f"({look}"
        name = self._match(r"\?<[A-Za-z_]\w*>")
        if name is not None:
            return f"(?P{name[1:]}"
        if self._match(r"\?") is not None:
            raise _InvalidError
        return "("

    def _outside_escape(self) -> str:
        char = self._next()
        if char in _CLASSES:
            return f"[{_CLASSES[char]}]"
        if char.lower() in _CLASSES:
            return f"[^{_CLASSES[char.lower()]}]"
        if char in "bB":
            # word boundaries of ASCII, which RE2 has anyway
            return rf"\{char}" if not self.python_only else rf"(?a:\{char})"
        if char in "123456789":
            self.python_only = True
            return rf"(?:\{char}{self._match(r'[0-9]*') or ''})"
        if char == "k":
            name = self._match(r"<[A-Za-z_]\w*>")
            if name is not None:
                self.python_only = True
                return f"(?P={name[1:-1]})"
        return _escape(self._character(char))

    def _character(self, char: str) -> str:
        """Return the character that an escape stands for; a letter without meaning is itself."""
        if char in _CONTROLS:
            return _CONTROLS[char]
        digits = None
        if char == "x":
            digits = self._match(r"[0-9A-Fa-f]{2}")
        elif char == "u":
            digits = self._match(r"[0-9A-Fa-f]{4}")
        elif char == "c":
            letter = self._match(r"[A-Za-z]")
            return chr(ord(letter) % 32) if letter else "c"
        return chr(int(digits, 16)) if digits else char

    def _set(self) -> str:
        negated = self._match(r"\^") is not None
        parts: list[str] = []
        after_class = True  # a dash at an end, or beside a class, is a dash
        while (char := self._next()) != "]":
            if char == "-":
                parts.append(r"\-" if after_class else "-")
                after_class = False
                continue
            after_class = False
            if char != "\\":
                parts.append(_escape(char))
                continue
            char = self._next()
            if char.lower() in _CLASSES:
                after_class = True
                if parts and parts[-1] == "-":
                    parts[-1] = r"\-"
                parts.append(_CLASSES.get(char, rf"\{char}"))
            else:
                parts.append(_escape("\b" if char == "b" else self._character(char)))
        if not parts:
            return "." if negated else _NOTHING
        if parts[-1] == "-":
            parts[-1] = r"\-"
        return f"[{'^' if negated else ''}{''.join(parts)}]"
