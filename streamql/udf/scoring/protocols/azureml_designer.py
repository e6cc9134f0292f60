"""Azure ML designer: {"Inputs": {"WebServiceInput0": [row, ...]}} and "Results" back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import json_object, option, text
from .protocol import BadAnswer, Protocol, Text, described, unwrapped


@dataclass(frozen=True)
class AzureMLDesigner(Protocol):
    """A pipeline published by the designer; names are those of its input and output ports."""

    name: ClassVar[str] = "azureml-designer"
    input_name: str = option("WebServiceInput0", text)
    output_name: str = option("WebServiceOutput0", text)
    global_parameters: str | None = option(None, json_object)

    def body(self, rows: Sequence[Text]) -> bytes:
        head = b'{"Inputs":{' + orjson.dumps(self.input_name) + b":["
        tail = b"]}}"
        if self.global_parameters is not None:
            tail = b']},"GlobalParameters":' + self.global_parameters.encode() + b"}"
        return b"".join((head, *rows, tail))

    def rows(self, answer: object) -> list[object]:
        found = unwrapped(answer)
        for name in ("Results", self.output_name):
            if not isinstance(found, dict) or name not in found:
                raise BadAnswer(f"{described(found)} instead of an object with {name!r}")
            found = unwrapped(found[name])
        if not isinstance(found, list):
            raise BadAnswer(f"{described(found)} instead of a list of results")
        return found
