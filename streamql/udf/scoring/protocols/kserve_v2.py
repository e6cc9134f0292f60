"""The open inference protocol (KServe V2, Triton, MLServer): named tensors there and back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import orjson

from ..options import option, text
from ..place import Found, Place, Question, Reply, escaped
from ..signatures.metadata import of_metadata
from ..tensors import Tensor, pack, unpack
from .protocol import BadAnswer, Protocol, Text, described, member, results, values

_MODELS = "/v2/models/"


@dataclass(frozen=True)
class KServeV2(Protocol):
    """A model behind /v2/models/MODEL/infer.

    Attributes:
        input_name: what the one input is called when the model's metadata do not say it.
        output_name: the output that is the result; without it, all: one alone, several as a record.
        inputs: the inputs of the model's metadata.
    """

    name: ClassVar[str] = "kserve-v2"
    describes: ClassVar[bool] = True
    model: str | None = option(None, text)
    input_name: str = option("input-0", text)
    output_name: str | None = option(None, text)
    inputs: tuple[Tensor, ...] = ()

    def body(self, rows: Sequence[Text]) -> bytes:
        made: dict[str, object] = {
            "inputs": [
                {"name": one.name, "shape": one.shape, "datatype": one.datatype, "data": one.data}
                for one in pack(values(rows), self.inputs, self.input_name)
            ]
        }
        if self.output_name is not None:
            made["outputs"] = [{"name": self.output_name}]
        return orjson.dumps(made)

    def rows(self, answer: object) -> list[object]:
        columns = dict(map(_column, results(member(answer, "outputs"))))
        if self.output_name is not None:
            if self.output_name not in columns:
                raise BadAnswer(f"outputs {', '.join(columns)} instead of {self.output_name}")
            return columns[self.output_name]
        if not columns:
            raise BadAnswer("no outputs")
        if len(columns) == 1:
            return next(iter(columns.values()))
        if len({len(column) for column in columns.values()}) > 1:
            raise BadAnswer("outputs of different lengths")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def address(self, place: Place) -> str:
        return place.of_model(_MODELS, "/infer", self.model)

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        prefix, model = place.split(_MODELS)
        if model is None:
            # the repository extension, which Triton and MLServer have
            listed = (yield Question(place.at(f"{prefix}/v2/repository/index"), "POST")).json
            names = [one.get("name") for one in listed] if _records(listed) else []
            if len(names) != 1 or not isinstance(names[0], str):
                return None
            model = names[0]
        # the path may name a version as well: its metadata are those of that version
        path = f"{prefix}{_MODELS}{escaped(model)}"
        if _MODELS in place.path:
            path = place.path.removesuffix("/infer")
        url = place.at(path)
        return cls.read((yield Question(url)).json, place, url)

    @classmethod
    def read(cls, document: object, place: Place, source: str) -> Found | None:
        signature = of_metadata(document, source)
        return None if signature is None else Found(signature.settings, signature)


def _records(listed: object) -> bool:
    return isinstance(listed, list) and all(isinstance(one, dict) for one in listed)


def _column(output: object) -> tuple[str, list[object]]:
    """Return an output's name, and its values row by row. Raises BadAnswer."""
    if not isinstance(output, dict):
        raise BadAnswer(f"{described(output)} as an output")
    name, shape, data = str(output.get("name")), output.get("shape"), output.get("data")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise BadAnswer(f"an output {name!r} without a shape")
    return name, unpack(shape, results(data), name)
