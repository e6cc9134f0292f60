"""Embeddings as OpenAI, vLLM and others serve them: texts there, arrays of numbers back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from .... import units
from ....types import Type
from ..options import option, text
from ..place import Found, Place, Question, Reply
from .protocol import BadAnswer, BadRow, Protocol, Text, described, member, results, values


@dataclass(frozen=True)
class OpenAIEmbeddings(Protocol):
    """POST /v1/embeddings; the row is a text. `dimensions` shortens the arrays, where possible."""

    name: ClassVar[str] = "openai-embeddings"
    answers: ClassVar[Type] = Type.ARRAY
    model: str | None = option(None, text)
    dimensions: int | None = option(None, units.count(1, 1_000_000))

    def body(self, rows: Sequence[Text]) -> bytes:
        texts = values(rows)
        # an array of numbers would be taken for one text's tokens: one answer for many rows
        wrong = next((row for row in texts if not isinstance(row, str)), "")
        if not isinstance(wrong, str):
            raise BadRow(f"{described(wrong)} instead of a text")
        made: dict[str, object] = {"input": texts, "encoding_format": "float"}
        if self.model is not None:
            made["model"] = self.model
        if self.dimensions is not None:
            made["dimensions"] = self.dimensions
        return orjson.dumps(made)

    def rows(self, answer: object) -> list[object]:
        listed = results(member(answer, "data"))
        found: list[object] = [None] * len(listed)
        taken = set()
        for place, one in enumerate(listed):
            at = one.get("index", place) if isinstance(one, dict) else None
            if not isinstance(one, dict) or not isinstance(one.get("embedding"), list):
                raise BadAnswer(f"{described(one)} instead of an object with 'embedding'")
            if type(at) is not int or not 0 <= at < len(listed) or at in taken:
                raise BadAnswer(f"an embedding with the index {str(at)[:50]}")
            taken.add(at)
            found[at] = one["embedding"]
        return found

    def address(self, place: Place) -> str:
        return place.with_path("/v1/embeddings") if place.path in ("", "/v1") else place.url

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        folder = place.path.removesuffix("/embeddings").removesuffix("/v1")
        listed = (yield Question(place.at(f"{folder}/v1/models"))).json
        if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
            return None
        if place.path and not place.path.endswith(("/embeddings", "/v1")):
            return None  # the same server has other things to ask it
        names = [one.get("id") for one in listed["data"] if isinstance(one, dict)]
        return Found({"model": names[0]} if len(names) == 1 and isinstance(names[0], str) else {})
