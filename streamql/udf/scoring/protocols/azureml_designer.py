"""Azure ML designer: {"Inputs": {"WebServiceInput0": [row, ...]}} and "Results" back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import json_object, option, text
from ..place import Found, Place
from ..signatures.swagger import of_swagger
from .protocol import Described, Text, member, results


@dataclass(frozen=True)
class AzureMLDesigner(Described):
    """A pipeline published by the designer; names are those of its input and output ports.

    Models of automated machine learning answer {"Results": [...]}, without a port's name.
    """

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
        found = member(answer, "Results")
        return results(found if isinstance(found, list) else member(found, self.output_name))

    @classmethod
    def read(cls, document: object, place: Place, source: str) -> Found | None:
        signature = of_swagger(document, source, place.path)
        if signature is None or "input_name" not in signature.settings:
            return None
        return Found(signature.settings, signature)
