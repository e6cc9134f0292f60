"""What is known about a model: its rows, its answers, and the names around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...types import Type
from .schemas import Schema, type_of


@dataclass(frozen=True)
class Signature:
    """The signature of a model, as its server, its file or the settings tell it.

    Attributes:
        source: where it was read, for people: a URL or a file.
        row: the JSON Schema of one row; None when it is not known.
        answer: the JSON Schema of one result; None when it is not known.
        settings: values of the protocol's settings that it gives, e.g. {"parameter": "data"}.
        path: the path under which the model is called, if it was said.
        note: a sentence about what is missing or strange; empty when all is said.
    """

    source: str
    row: Schema | None = None
    answer: Schema | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None
    note: str = ""

    @property
    def returns(self) -> Type:
        """The SQL type of a call."""
        return type_of(self.answer or {})

    @property
    def empty(self) -> bool:
        """Whether it says nothing about rows and answers."""
        return not self.row and not self.answer
