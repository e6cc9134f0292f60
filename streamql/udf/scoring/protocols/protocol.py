"""The interface of a protocol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Generator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import orjson

from ....types import Type
from ..place import Found, Place, Question, Reply

Text = bytes | memoryview


class BadAnswer(Exception):
    """The answer is not what the protocol says; the message tells what was found."""


class BadRow(Exception):
    """A row (or rows that do not fit together) cannot be sent; the message tells why."""


@dataclass(frozen=True)
class Protocol(ABC):
    """How rows become a body, and how an answer becomes rows. Immutable; used from any thread.

    Subclasses are dataclasses whose fields (made by `options.option`) are their settings. They are
    listed in `catalog.py`.

    Attributes:
        describes: whether its servers publish signatures, so that asking them is worth a request.
        answers: the type of all its results; `any` where that depends on the model.
    """

    name: ClassVar[str]
    describes: ClassVar[bool] = False
    answers: ClassVar[Type] = Type.ANY

    @abstractmethod
    def body(self, rows: Sequence[Text]) -> bytes:
        """Return the request's body.

        `rows` are pieces of text that, put together, are the JSON texts of the rows with a comma
        between each two: nothing is parsed to build the usual bodies. Raises BadRow.
        """

    @abstractmethod
    def rows(self, answer: object) -> list[object]:
        """Return the results in an answer (a parsed JSON value), one per row.

        Raises BadAnswer. The number of results is checked by the caller.
        """

    def address(self, place: Place) -> str:
        """Return the URL to send requests to, for the URL the user gave.

        Raises ValueError with what is missing. Most protocols have a path of their own for URLs
        without one.
        """
        return place.url

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        """Ask a server until it is clear whether it speaks this protocol; return what it told."""
        yield from ()
        return None

    @classmethod
    def read(cls, document: object, place: Place, source: str) -> Found | None:
        """Return what a published description tells, None when it is not one of this protocol."""
        return None

    @classmethod
    def made(cls, settings: Mapping[str, Any]) -> Self:
        """Return the protocol with these settings."""
        return cls(**settings)

    def learned(self, told: Mapping[str, Any], given: Container[str]) -> Self:
        """Return the protocol with the settings a server told; those `given` by the user stay."""
        known = {f.name for f in fields(self)}
        new = {n: v for n, v in told.items() if n in known and n not in given}
        return replace(self, **new)


class Described(Protocol):
    """A protocol whose servers publish a swagger, beside the model or in a folder above it."""

    describes: ClassVar[bool] = True

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        for url in place.beside("swagger.json"):
            found = cls.read((yield Question(url)).json, place, url)
            if found is not None:
                return found
        return None


def values(rows: Sequence[Text]) -> list[Any]:
    """Return the parsed rows, for protocols that take them apart. Raises BadRow."""
    try:
        parsed: list[Any] = orjson.loads(b"".join((b"[", *rows, b"]")))
    except orjson.JSONDecodeError:
        raise BadRow("a row that is not JSON") from None
    return parsed


def member(answer: object, name: str) -> object:
    """Return a member of an answer that must be an object. Raises BadAnswer."""
    found = unwrapped(answer)
    if not isinstance(found, dict) or name not in found:
        raise BadAnswer(f"{described(found)} instead of an object with {name!r}")
    return unwrapped(found[name])


def results(found: object) -> list[object]:
    """Return what must be a list of results. Raises BadAnswer."""
    if not isinstance(found, list):
        raise BadAnswer(f"{described(found)} instead of a list of results")
    return found


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
