"""A model as ONNX Runtime runs it: what it takes and gives (extra `onnx`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from ...column import Column
from ...errors import UsageError
from ...packed import PackedColumn
from ...types import JSON_TYPES
from .onnx_answers import check_length, joined, rows_of
from .onnx_columns import (
    Feeds,
    Inputs,
    inputs_of_arrays,
    inputs_of_fields,
    inputs_of_packed,
    inputs_of_values,
    numbers,
)
from .protocols.protocol import BadRow
from .schemas import type_of
from .signatures.onnx import of_session, open_session
from .tensors import FLOATS, Tensor, pack

_DTYPES = {
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BOOL": np.bool_,
    "BYTES": np.object_,
} | {
    f"{s}INT{bits}": np.dtype(f"{s}int{bits}".lower()).type
    for s in ("", "U")
    for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class OnnxSettings:
    """What can be set about an ONNX model beside `ScoringSettings`.

    Attributes:
        threads: threads that compute one batch; None leaves it to ONNX Runtime (all cores).
        output: the outputs to return, by name; empty returns all.
    """

    threads: int | None = None
    output: tuple[str, ...] = ()


class OnnxModel:
    """A session with its inputs and outputs. Threads may use one at the same time.

    Attributes:
        inputs: what it takes; a first dimension that is no number stands for any number of rows.
        names: the outputs that are returned.
        returns: the SQL type of a result, `any` where only the values tell.

    Raises UsageError when ONNX Runtime is not installed, the file is no model, or the model has
    inputs that rows cannot be turned into.
    """

    def __init__(self, alias: str, path: str, options: OnnxSettings) -> None:
        self.path = path
        self._session = open_session(path, f"udf.{alias}: ", options.threads)
        signature = of_session(self._session, path)
        self.inputs: tuple[Tensor, ...] = signature.settings["inputs"]
        for tensor in self.inputs:
            if tensor.datatype not in _DTYPES:
                raise UsageError(
                    f"udf.{alias}: the input {tensor.name!r} of {path} is of type "
                    f"{tensor.datatype}, which no row has",
                    hint=f"rows give tensors of {', '.join(_DTYPES)}",
                )
        known = [node.name for node in self._session.get_outputs()]
        for name in options.output:
            if name not in known:
                raise UsageError(
                    f"udf.{alias}: {path} has no output {name!r}",
                    hint=f"it has {', '.join(known)}",
                )
        self.names = list(options.output) or known
        sizes = {t.shape[0] for t in self.inputs if t.shape and t.shape[0] > 0}
        if len(sizes) > 1:
            raise UsageError(
                f"udf.{alias}: the inputs of {path} want batches of {sorted(sizes)} rows at once"
            )
        self._fixed = sizes.pop() if sizes else None
        shapeless = any(not node.shape for node in self._session.get_outputs())
        answer = None if shapeless else signature.answer
        if answer and len(known) > 1 and len(self.names) == 1:
            answer = answer["properties"][self.names[0]]
        self.returns = type_of(answer or {})

    def run(self, body: bytes) -> list[Any]:
        """Return one result per row of a JSON list: a value, or a record of several outputs.

        Raises BadRow when a row does not fit the inputs, BadAnswer when the outputs are no rows.
        """
        feeds = self.feeds(body)
        count = len(next(iter(feeds.values())))
        outputs = self.outputs(feeds, count)
        columns = [rows_of(o, count, name) for o, name in zip(outputs, self.names, strict=True)]
        if len(columns) == 1:
            return columns[0]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]

    def outputs(self, feeds: Feeds, count: int) -> list[Any]:
        """Return the outputs for some rows. Raises what ONNX Runtime raises, or BadAnswer."""
        if self._fixed is None:
            found: list[Any] = self._session.run(self.names, feeds)
            return found
        pieces = []
        for start in range(0, count, self._fixed):
            # the model takes so many rows and no others: the last batch is filled with its last row
            index = np.minimum(np.arange(start, start + self._fixed), count - 1)
            some = self._session.run(self.names, {n: a[index] for n, a in feeds.items()})
            for output, name in zip(some, self.names, strict=True):
                check_length(output, self._fixed, name)
            pieces.append([output[: count - start] for output in some])
        return [joined(each) for each in zip(*pieces, strict=True)]

    def inputs_of(self, given: Mapping[str, Column] | Column) -> Inputs | None:
        """Return the model's inputs for the fields of records, for arrays, or for scalars; None
        if they go as text."""
        if isinstance(given, PackedColumn):
            return inputs_of_packed(given, self.inputs, _DTYPES)
        if isinstance(given, Column) and given.type in JSON_TYPES:
            return inputs_of_arrays(given, self.inputs, _DTYPES)
        if isinstance(given, Column):
            return inputs_of_values(given, self.inputs, _DTYPES)
        return inputs_of_fields(given, self.inputs, _DTYPES)

    def feeds(self, body: bytes) -> dict[str, Any]:
        """Return the model's inputs for a JSON list of rows. Raises BadRow."""
        if len(self.inputs) == 1:
            only = self.inputs[0]
            width = only.shape[1] if len(only.shape) == 2 else 0
            if width > 0 and only.datatype in FLOATS:
                found = numbers(body, width)
                if found is not None:
                    return {only.name: found.astype(_DTYPES[only.datatype])}
        feeds: dict[str, Any] = {}
        for packed in pack(orjson.loads(body), self.inputs, ""):
            try:
                values: Any = np.array(packed.data, _DTYPES[packed.datatype])
            except OverflowError:
                raise BadRow(
                    f"a number beyond {packed.datatype} for the model's input {packed.name!r}"
                ) from None
            feeds[packed.name] = values.reshape(packed.shape)
        return feeds
