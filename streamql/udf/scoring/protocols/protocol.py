"""The interface of a protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

Text = bytes | memoryview


class BadAnswer(Exception):
    """The answer is not what the protocol says; the message tells what was found."""


@dataclass(frozen=True)
class Protocol(ABC):
    """How rows become a body, and how an answer becomes rows. Immutable; used from any thread.

    Subclasses are dataclasses whose fields (made by `options.option`) are their settings. They are
    listed in `catalog.py`.
    """

    name: ClassVar[str]

    @abstractmethod
    def body(self, rows: Sequence[Text]) -> bytes:
        """Return the request's body.

        `rows` are pieces of text that, put together, are the JSON texts of the rows with a comma
        between each two: nothing is parsed to build the usual bodies.
        """

    @abstractmethod
    def rows(self, answer: object) -> list[object]:
        """Return the results in an answer (a parsed JSON value), one per row.

        Raises BadAnswer. The number of results is checked by the caller.
        """


def described(answer: object) -> str:
    """Return in a few words what an answer is, for messages."""
    match answer:
        case dict():
            keys = ", ".join(repr(key) for key in list(answer)[:5])
            return f"an object with {keys}" if keys else "an empty object"
        case list():
            return f"a list of {len(answer):,}"
        case str():
            return "a text"
        case None:
            return "null"
        case _:
            return f"the value {str(answer)[:50]}"


def unwrapped(answer: object) -> object:
    """Return the JSON value inside of a JSON string: scripts often answer `json.dumps(...)`."""
    if not isinstance(answer, str):
        return answer
    try:
        inner: object = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise BadAnswer("a text instead of a list of results") from None
    return inner
