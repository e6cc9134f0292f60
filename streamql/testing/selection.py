"""Which cases run: `-k 'late and not slow'`."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import UsageError

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")

Test = Callable[[str], bool]


def selector(expression: str) -> Test:
    """Return what tells whether a case's name is meant.

    Words are parts of names, in any case of letters; between them `and`, `or`, `not`, parentheses.
    Raises UsageError.
    """
    if not expression.strip():
        return lambda _: True
    return _Parser(expression).parse()


class _Parser:
    """Reads from the loosest to the tightest: or, and, not."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)

    def parse(self) -> Test:
        """Return the whole expression. Raises UsageError."""
        found = self._any()
        if self._tokens:
            raise self._misfit()
        return found

    def _any(self) -> Test:
        terms = [self._all()]
        while self._next_is("or"):
            terms.append(self._all())
        return lambda name: any(term(name) for term in terms)

    def _all(self) -> Test:
        terms = [self._one()]
        while self._next_is("and"):
            terms.append(self._one())
        return lambda name: all(term(name) for term in terms)

    def _one(self) -> Test:
        if self._next_is("not"):
            denied = self._one()
            return lambda name: not denied(name)
        if self._next_is("("):
            inner = self._any()
            if not self._next_is(")"):
                raise self._misfit()
            return inner
        if not self._tokens or self._tokens[0].lower() in ("and", "or", ")"):
            raise self._misfit()
        word = self._tokens.pop(0).lower()
        return lambda name: word in name.lower()

    def _next_is(self, token: str) -> bool:
        if self._tokens and self._tokens[0].lower() == token:
            del self._tokens[0]
            return True
        return False

    def _misfit(self) -> UsageError:
        found = f"found {self._tokens[0]!r}" if self._tokens else "it ends too early"
        return UsageError(
            f"-k {self._text!r}: {found}", hint="words with and, or, not: -k 'late and not slow'"
        )
