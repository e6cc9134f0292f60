"""KServe V1 and TensorFlow Serving: {"instances": [row, ...]} and "predictions" back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import option, text
from ..place import Found, Place, Question, Reply, escaped
from .protocol import Protocol, Text, member, results

_MODELS = "/v1/models/"


@dataclass(frozen=True)
class KServeV1(Protocol):
    """A model behind /v1/models/MODEL:predict."""

    name: ClassVar[str] = "kserve-v1"
    model: str | None = option(None, text)

    def body(self, rows: Sequence[Text]) -> bytes:
        return b"".join((b'{"instances":[', *rows, b"]}"))

    def rows(self, answer: object) -> list[object]:
        return results(member(answer, "predictions"))

    def address(self, place: Place) -> str:
        return place.of_model(_MODELS, ":predict", self.model)

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        prefix, model = place.split(_MODELS)
        if model is None:
            listed = (yield Question(place.at(f"{prefix}{_MODELS.rstrip('/')}"))).json
            names = listed.get("models") if isinstance(listed, dict) else None
            if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
                return None
            model = names[0]
        status = (yield Question(place.at(f"{prefix}{_MODELS}{escaped(model)}"))).json
        known = isinstance(status, dict) and cls._knows(status)
        return Found({"model": model}) if known else None

    @classmethod
    def _knows(cls, status: dict[str, object]) -> bool:
        return "ready" in status


@dataclass(frozen=True)
class TensorFlow(KServeV1):
    """TensorFlow Serving's REST interface."""

    name: ClassVar[str] = "tensorflow"
    signature_name: str | None = option(None, text)

    def body(self, rows: Sequence[Text]) -> bytes:
        if self.signature_name is None:
            return super().body(rows)
        head = b'{"signature_name":' + orjson.dumps(self.signature_name) + b',"instances":['
        return b"".join((head, *rows, b"]}"))

    @classmethod
    def _knows(cls, status: dict[str, object]) -> bool:
        return "model_version_status" in status
