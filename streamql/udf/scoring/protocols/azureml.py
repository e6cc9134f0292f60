"""Azure ML online endpoints: {"data": [row, ...]} and a list back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import option, text
from .protocol import BadAnswer, Protocol, Text, described, unwrapped


@dataclass(frozen=True)
class AzureML(Protocol):
    """An entry script behind Azure ML's inference server; `parameter` is run()'s parameter."""

    name: ClassVar[str] = "azureml"
    parameter: str = option("data", text)

    def body(self, rows: Sequence[Text]) -> bytes:
        head = b"{" + orjson.dumps(self.parameter) + b":["
        return b"".join((head, *rows, b"]}"))

    def rows(self, answer: object) -> list[object]:
        found = unwrapped(answer)
        if isinstance(found, dict) and "result" in found:
            found = unwrapped(found["result"])
        if not isinstance(found, list):
            raise BadAnswer(f"{described(found)} instead of a list of results")
        return found
