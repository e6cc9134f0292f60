"""Random texts and bytes that are nearly right: what a fuzzer feeds to parsers and decoders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

from lark.grammar import Terminal

from streamql.syntax.parser import lark

EXAMPLES = int(os.environ.get("STREAMQL_EXAMPLES", "0"))
"""More examples than a test run takes by itself: STREAMQL_EXAMPLES=20000 pytest -k fuzz."""

_CASES = Path(__file__).parent / "conformance" / "cases"
_TOKEN = re.compile(
    r"'(?:[^']|'')*'|\[[^\]]*\]|\"[^\"]*\"|[^\W\d]\w*|\d+(?:\.\d+)?|\s+|.", re.DOTALL
)
_ODD = [
    "'", '"', "[", "]", "/*", "*/", "--", "(", ")", "\0", "\ufeff", "\u2028", "é", "😀", "\\", "`", "$", "#", ";;",
    "1e999", "0x1", "9" * 40, "1.", ".1", "''''", "[]", "@t", "\r", "\t", "<>", "!=", "%%", "::", "{", "}",
]  # fmt: skip
_DEEPEST = 12


Kind = TypeVar("Kind", bound=Exception)


def refusal(kind: type[Kind], action: Callable[[], object]) -> Kind | None:
    """Return the error of this kind that an action ends with, None if it ends well."""
    try:
        action()
    except kind as error:
        return error
    return None


def examples(default: int) -> int:
    """Return how many examples a test takes."""
    return max(default, EXAMPLES)


@cache
def queries() -> tuple[str, ...]:
    """Return the queries of all conformance cases."""
    return tuple(file.read_text() for file in sorted(_CASES.glob("*/query.sql")))


@cache
def tokens() -> tuple[str, ...]:
    """Return all different tokens of these queries, and some that are none."""
    found = {token for query in queries() for token in _TOKEN.findall(query) if token.strip()}
    return (*sorted(found), *_ODD)


def soup(draw: Random, length: int) -> str:
    """Return tokens in any order."""
    return " ".join(draw.choice(tokens()) for _ in range(length))


def mutated(draw: Random, text: str, changes: int) -> str:
    """Return a query with some tokens removed, doubled, swapped or replaced."""
    parts = _TOKEN.findall(text)
    for _ in range(changes):
        if not parts:
            break
        at, other = draw.randrange(len(parts)), draw.randrange(len(parts))
        match draw.randrange(7):
            case 0:
                del parts[at]
            case 1:
                parts.insert(at, parts[other])
            case 2:
                parts[at], parts[other] = parts[other], parts[at]
            case 3:
                parts[at] = draw.choice(tokens())
            case 4:
                parts.insert(at, draw.choice(_ODD))
            case 5:
                del parts[min(at, other) : max(at, other)]
            case _:
                strange = _TOKEN.findall(draw.choice(queries()))
                start = draw.randrange(len(strange))
                parts[at:at] = strange[start : start + draw.randrange(1, 30)]
    return "".join(parts)


@cache
def _rules() -> dict[str, list[list[tuple[str, bool]]]]:
    """Return the rules of the grammar: for each name the ways to write it."""
    found: dict[str, list[list[tuple[str, bool]]]] = {}
    for rule in lark().rules:
        way = [(symbol.name, isinstance(symbol, Terminal)) for symbol in rule.expansion]
        found.setdefault(rule.origin.name, []).append(way)
    return found


@cache
def _depths() -> dict[str, int]:
    """Return how many levels the shortest text of each rule needs."""
    depths: dict[str, int] = {}
    while True:
        before = dict(depths)
        for name, ways in _rules().items():
            known = [
                1 + max((depths[n] for n, terminal in way if not terminal), default=0)
                for way in ways
                if all(terminal or n in depths for n, terminal in way)
            ]
            if known:
                depths[name] = min(known)
        if depths == before:
            return depths


_WRITTEN = {
    "NAME": ["a", "b", "t", "input", "fare", "[x y]", '"q"', "COUNT", "second", "System", "Timestamp", "udf", "LAG"],
    "INTEGER": ["0", "1", "2", "10", "99999999999999999999"],
    "NUMBER": ["0", "1", "2.5", "1e3"],
    "FLOAT": ["1.5", "1e10", ".5"],
    "STRING": ["'x'", "''", "'it''s'", "'2024-01-01'", "'second'"],
}  # fmt: skip


@cache
def _terminals() -> dict[str, list[str]]:
    found = {}
    for terminal in lark().terminals:
        plain = terminal.pattern.value
        if terminal.pattern.type == "re":
            word = re.fullmatch(r"(?:\(\?\w+:)?\(*\\?b?([A-Za-z_]+)\)*.*", plain)
            plain = word[1] if word else "a"
        found[terminal.name] = _WRITTEN.get(terminal.name, [plain])
    return found


def derived(draw: Random, name: str = "script", level: int = 0) -> str:
    """Return a text that the grammar allows, as far as the tokens go."""
    ways = _rules()[name]
    if level > _DEEPEST:
        lowest = min(_cost(way) for way in ways)
        ways = [way for way in ways if _cost(way) == lowest]
    parts = []
    for symbol, terminal in draw.choice(ways):
        if terminal:
            parts.append(draw.choice(_terminals()[symbol]))
        else:
            parts.append(derived(draw, symbol, level + 1))
    return " ".join(parts)


def _cost(way: list[tuple[str, bool]]) -> int:
    return max((_depths()[name] for name, terminal in way if not terminal), default=0)


def damaged(draw: Random, data: bytes, changes: int) -> bytes:
    """Return bytes with some changed, removed, doubled or put in."""
    found = bytearray(data)
    for _ in range(changes):
        at = draw.randrange(len(found) + 1)
        match draw.randrange(5):
            case 0:
                found[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del found[at : at + draw.randrange(1, 9)]
            case 2:
                found[at:at] = bytes(
                    draw.choice(b'"{}[],:\\\n\r\0 \xff\xef\xbb\xbf0-e.')
                    for _ in range(draw.randrange(1, 5))
                )
            case 3:
                found[at:at] = found[max(0, at - draw.randrange(1, 40)) : at]
            case _:
                if found and at < len(found):
                    found[at] ^= 1 << draw.randrange(8)
    return bytes(found)


def flipped(draw: Random, data: bytes, changes: int) -> bytes:
    """Return bytes with some changed, none of them moved: what points into them stays right."""
    found = bytearray(data)
    for _ in range(changes):
        found[draw.randrange(len(found))] = draw.randrange(256)
    return bytes(found)


def long(draw: Random, length: int) -> str:
    """Return a text of some length that has much in it: queries, or a part of one many times."""
    if draw.random() < 0.3:
        text = ""
        while len(text) < length:
            text += mutated(draw, draw.choice(queries()), draw.randrange(3)) + "; "
    elif draw.random() < 0.5:
        query = draw.choice(queries())
        at = draw.randrange(len(query))
        part = query[at : at + draw.randrange(1, 60)]
        text = query[:at] + part * (length // len(part)) + query[at:]
    else:
        pair = f"{draw.choice(tokens())} {draw.choice(tokens())} "
        text = "SELECT " + pair * (length // len(pair)) + " FROM a"
    return text[:length]
