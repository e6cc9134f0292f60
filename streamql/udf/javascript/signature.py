"""What the text of a JavaScript file tells without running it: names, parameters, volatility.

This is no parser: it may name too many candidates (V8 then says which are functions) and may call
a function volatile because of a comment; both do no harm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:[^\W\d]|\$)[\w$]*"
_DECLARED = re.compile(
    rf"\b(?:function\b\s*\*?|class\s)\s*({_NAME})|(?<![\w$.])({_NAME})\s*=(?![=>])"
)
_VOLATILE = re.compile(
    r"\bMath\s*\.\s*random\b|\bDate\s*\.\s*now\b|\bTemporal\s*\.\s*Now\b"
    r"|\bnew\s+Date\b(?!\s*\(\s*[^\s)])|\bDate\s*\(\s*\)"
)
_NOW_OR_CHANCE = re.compile(r"\b(?:random|Date|Temporal|Intl|DateTimeFormat)\b|\bMath\s*\[")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_RESERVED = re.compile(
    r"arguments|await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|"
    r"eval|export|extends|false|finally|for|function|if|implements|import|in|instanceof|interface|"
    r"let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|"
    r"try|typeof|var|void|while|with|yield"
)
_ONLY = re.compile(rf"(?:async\s+)?({_NAME})\s*=>")
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Signature:
    """How many arguments a function takes.

    Attributes:
        kind: "function", or what else it is ("a class", ...).
        parameters: as they are written.
        least: how many must be given.
        most: how many may be given; None for any number.
    """

    kind: str
    parameters: tuple[str, ...]
    least: int
    most: int | None

    def accepts(self, count: int) -> bool:
        """Return whether so many arguments fit."""
        return self.least <= count and (self.most is None or count <= self.most)

    def counts(self) -> str:
        """Return the sentence's part "2 arguments (a, b)"."""
        if self.most is None:
            words = f"{self.least} or more"
        elif self.most == self.least:
            words = str(self.least)
        else:
            words = f"{self.least} to {self.most}"
        names = f" ({', '.join(self.parameters)})" if self.parameters else ""
        return f"{words} argument{'' if words == '1' else 's'}{names}"


def candidates(source: str) -> tuple[str, ...]:
    """Return the names in a file that might be functions, in their order."""
    found = (a or b for a, b in _DECLARED.findall(source))
    return tuple(dict.fromkeys(name for name in found if not _RESERVED.fullmatch(name)))


def is_volatile(source: str) -> bool:
    """Return whether the text asks for random numbers or the time."""
    return _VOLATILE.search(source) is not None


def asks_for_now_or_chance(source: str) -> bool:
    """Return whether the text may ask for random numbers or the time, however it is written."""
    return _NOW_OR_CHANCE.search(source) is not None


def without_comments(source: str) -> str:
    """Return a text without its comments, and without what looks like one inside of a string."""
    return _COMMENT.sub(" ", source)


def signature(text: str, length: int) -> Signature:
    """Return the signature of a function from its source text and its `length`."""
    stripped = without_comments(text).lstrip()
    if re.match(r"class\b", stripped):
        return Signature("a class", (), 0, None)
    if re.match(r"async\b", stripped):
        return Signature("an async function", (), 0, None)
    if re.match(r"function\s*\*", stripped):
        return Signature("a generator", (), 0, None)
    single = _ONLY.match(stripped)
    parameters = (single[1],) if single else _parameters(stripped)
    uses_arguments = re.search(r"(?<![\w$.])arguments\b", stripped) is not None
    if uses_arguments and single is None:
        return Signature("function", parameters, 0, None)
    if parameters and parameters[-1].startswith("..."):
        return Signature("function", parameters, length, None)
    most = max(len(parameters), length)
    return Signature("function", parameters, length, most)


def _parameters(text: str) -> tuple[str, ...]:
    """Return what stands between the first parentheses, cut at its outer commas."""
    start = text.find("(")
    depth, quote, piece = 0, "", ""
    pieces = []
    at = start + 1
    while start >= 0 and at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                piece += char
                at += 1
            elif char == quote:
                quote = ""
        elif char in "'\"`":
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            if depth == 0:
                break
            depth -= 1
        if char == "," and depth == 0 and not quote:
            pieces.append(piece)
            piece = ""
        else:
            piece += text[at]
        at += 1
    pieces.append(piece)
    return tuple(" ".join(p.split()) for p in pieces if p.strip())
