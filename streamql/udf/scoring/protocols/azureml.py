"""Azure ML online endpoints: {"data": [row, ...]} and a list back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import option, text
from ..place import Found, Place
from ..signatures.swagger import of_swagger
from .protocol import Described, Text, results, unwrapped


@dataclass(frozen=True)
class AzureML(Described):
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
        return results(found)

    @classmethod
    def read(cls, document: object, place: Place, source: str) -> Found | None:
        parameter = place.settings.get("parameter")
        signature = of_swagger(document, source, place.path, parameter)
        if signature is None or "input_name" in signature.settings:
            return None
        return Found(signature.settings, signature)
