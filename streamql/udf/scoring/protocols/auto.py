"""Which protocol a server speaks is found out by asking it: see `discovery.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Self

from .protocol import Protocol, Text


@dataclass(frozen=True)
class Auto(Protocol):
    """Stands for the protocol until it is found; `given` are the settings it will get."""

    name: ClassVar[str] = "auto"
    given: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def made(cls, settings: Mapping[str, Any]) -> Self:
        return cls(dict(settings))

    def body(self, rows: Sequence[Text]) -> NoReturn:
        raise AssertionError("the protocol was not looked for")

    def rows(self, answer: object) -> NoReturn:
        raise AssertionError("the protocol was not looked for")
