"""ONNX models in this process, run by ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import orjson

from ...column import Column
from ...errors import UsageError
from ...network.retry import Retry
from ...packed import PackedColumn
from ...types import Type
from .exchange import Exchange
from .failure import Clock, Failure
from .function import ModelFunction
from .onnx_columns import (
    Feeds,
    Inputs,
    column_of,
    inputs_of_arrays,
    inputs_of_fields,
    inputs_of_packed,
    numbers,
)
from .protocols.protocol import BadAnswer, BadRow, Protocol, Text, results
from .schemas import type_of
from .scorer import Scorer
from .script import ScriptScorer
from .settings import ScoringSettings
from .signatures.onnx import of_session, open_session
from .stats import ScoringStats
from .tensors import FLOATS, Tensor, pack
from .transport import Answer, Transport
from .tuner import Limits
from .watch import Watch

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

_TOGETHER = 8_192
"""Rows of which the inputs are made at a time: they are still in the cache when they are used."""


@dataclass(frozen=True)
class OnnxSettings:
    """What can be set about an ONNX model beside `ScoringSettings`.

    Attributes:
        threads: threads that compute one batch; None leaves it to ONNX Runtime (all cores).
        output: the outputs to return, by name; empty returns all.
    """

    threads: int | None = None
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class OnnxRows(Protocol):
    """Rows as they are: the transport makes tensors of them."""

    name: ClassVar[str] = "onnx"

    def body(self, rows: Sequence[Text]) -> bytes:
        return b"".join((b"[", *rows, b"]"))

    def rows(self, answer: object) -> list[object]:
        return results(answer)


class OnnxModel:
    """A session with its inputs and outputs. Threads may use one at the same time.

    Attributes:
        inputs: what it takes; a first dimension that is no number stands for any number of rows.
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
        self._outputs = list(options.output) or known
        sizes = {t.shape[0] for t in self.inputs if t.shape and t.shape[0] > 0}
        if len(sizes) > 1:
            raise UsageError(
                f"udf.{alias}: the inputs of {path} want batches of {sorted(sizes)} rows at once"
            )
        self._fixed = sizes.pop() if sizes else None
        shapeless = any(not node.shape for node in self._session.get_outputs())
        answer = None if shapeless else signature.answer
        if answer and len(known) > 1 and len(self._outputs) == 1:
            answer = answer["properties"][self._outputs[0]]
        self.returns = type_of(answer or {})

    def run(self, body: bytes) -> list[Any]:
        """Return one result per row of a JSON list: a value, or a record of several outputs.

        Raises BadRow when a row does not fit the inputs, BadAnswer when the outputs are no rows.
        """
        feeds = self.feeds(body)
        count = len(next(iter(feeds.values())))
        if self._fixed is None:
            return self._rows(self._session.run(self._outputs, feeds), count)
        found: list[Any] = []
        for start in range(0, count, self._fixed):
            # the model takes so many rows and no others: the last batch is filled with its last row
            index = np.minimum(np.arange(start, start + self._fixed), count - 1)
            some = self._session.run(self._outputs, {n: a[index] for n, a in feeds.items()})
            found += self._rows(some, self._fixed)[: count - start]
        return found

    def inputs_of(self, given: Mapping[str, Column] | Column) -> Inputs | None:
        """Return the model's inputs for the fields of records, or for arrays; None if they go as
        text, and where the model wants a fixed number of rows or gives several outputs."""
        if self._fixed is not None or len(self._outputs) != 1:
            return None
        if isinstance(given, PackedColumn):
            return inputs_of_packed(given, self.inputs, _DTYPES)
        if isinstance(given, Column):
            return inputs_of_arrays(given, self.inputs, _DTYPES)
        return inputs_of_fields(given, self.inputs, _DTYPES)

    def output(self, feeds: Feeds) -> Any:
        """Return the only output for some inputs; raises what ONNX Runtime raises."""
        return self._session.run(self._outputs, feeds)[0]

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

    def _rows(self, outputs: list[Any], count: int) -> list[Any]:
        columns = [_values(o, count, name) for o, name in zip(outputs, self._outputs, strict=True)]
        if len(columns) == 1:
            return columns[0]
        return [dict(zip(self._outputs, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(output: Any, count: int, name: str) -> list[Any]:
    """Return an output's value for each row: scalars where a row has one, else lists or dicts."""
    if isinstance(output, list):  # of a sequence of maps, as classifiers give probabilities
        if len(output) != count:
            raise BadAnswer(f"an output {name!r} with {len(output):,} values for {count:,} rows")
        return [_plain(one) for one in output]
    values: Any = np.asarray(output)
    if values.ndim == 0 or values.shape[0] != count:
        raise BadAnswer(f"an output {name!r} of shape {list(values.shape)} for {count:,} rows")
    if values.dtype == np.float16 or values.dtype.kind == "V":
        values = values.astype(np.float32)
    if math.prod(values.shape[1:]) == 1:
        values = values.reshape(count)
    return list(values.tolist())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


class OnnxTransport(Transport):
    """Runs a session; what it refuses is a failure that rows can be to blame for."""

    def __init__(self, model: OnnxModel) -> None:
        self.target = model.path
        self._model = model

    async def send(self, body: bytes, timeout: float) -> Answer:
        try:
            return Answer(value=self._model.run(body))
        except BadRow as bad:
            cause, label = f"was not asked: {bad}", "row"
        except BadAnswer as bad:
            cause, label = f"answered {bad}", "200"
        except Exception as error:  # ONNX Runtime has a class for each code, all its own
            said = " ".join(str(error).split())
            cause, label = f"failed: {said[:300]}", "exception"
        raise Failure(cause, Retry.NEVER, rows_to_blame=True, label=label)


class OnnxFunction(ModelFunction):
    """An ONNX model as a function; it is loaded when a query that calls it is compiled."""

    remote: ClassVar[bool] = False
    takes_fields: ClassVar[bool] = True

    def __init__(
        self, name: str, path: str, settings: ScoringSettings, options: OnnxSettings
    ) -> None:
        settings = replace(settings, protocol=OnnxRows())
        super().__init__(name, settings)
        _refuse_http_only(name, settings)
        self.path = path
        self._options = options
        self._model: OnnxModel | None = None
        self._columns_stats: ScoringStats | None = None

    def prepare(self) -> None:
        self._load()

    def call(self, columns: Sequence[Column], count: int) -> Column:
        only = columns[0]
        known = only.type is Type.ARRAY or isinstance(only, PackedColumn)
        found = self._scored(only, count) if known else None
        return super().call(columns, count) if found is None else found

    def call_fields(self, given: Mapping[str, Column], count: int) -> Column | None:
        return self._scored(given, count)

    def _scored(self, given: Mapping[str, Column] | Column, count: int) -> Column | None:
        """Score columns, a batch at a time; None if the rows are to go as text: where that gives
        another result than a column of numbers, or an error that names the row."""
        as_text = self.recorder is not None or self.settings.validate != "off"
        if as_text or count == 0:
            return None
        model, limit = self._load(), self.settings.batch_limits.high
        inputs = model.inputs_of(given)
        if inputs is None:
            return None
        together = limit * max(1, _TOGETHER // limit)
        outputs: list[Any] = []
        sizes: list[int] = []
        took: list[float] = []
        for first in range(0, count, together):
            size = min(together, count - first)
            feeds = inputs.feeds(first, first + size)
            if feeds is None:
                return None
            for start in range(0, size, limit):
                some = {name: values[start : start + limit] for name, values in feeds.items()}
                began = time.monotonic()
                try:
                    outputs.append(model.output(some))
                except Exception:  # noqa: BLE001 - told by the way of the texts, which meets it too
                    return None
                took.append(time.monotonic() - began)
                sizes.append(min(limit, size - start))
        column = column_of(outputs, sizes, self.settings.returns)
        if column is not None:
            self._count_batches(sizes, took)
        return column

    def _count_batches(self, sizes: Sequence[int], took: Sequence[float]) -> None:
        if self._columns_stats is None:
            self._columns_stats = self._counters()
        stats = self._columns_stats
        for rows, seconds in zip(sizes, took, strict=True):
            stats.sent(rows)
            stats.ended(seconds, True)
            if stats.on_request is not None:
                stats.on_request(rows, seconds, "200", 1)
        stats.events += sum(sizes)

    def _load(self) -> OnnxModel:
        if self._model is None:
            self._model = OnnxModel(self.name, self.path, self._options)
            if "returns" not in self.settings.given:
                self.settings = replace(self.settings, returns=self._model.returns)
        return self._model

    def open(self, partition: int = 0) -> Scorer:
        sink = self._sink()
        transport, clock = self.transport(), Clock()
        watch = Watch(self.name, transport.target, False, self._warn, clock)
        stats = self._counters()
        exchange = Exchange(self.name, transport, self.settings, stats, watch, clock)
        return self._recorded(ScriptScorer(self.settings, exchange, stats, sink), transport)

    def transport(self) -> Transport:
        return OnnxTransport(self._load())


class DroppingOnnxFunction(OnnxFunction):
    """A model whose bad rows leave the stream: only the scoring operator can drop rows."""

    remote: ClassVar[bool] = True


def _refuse_http_only(name: str, settings: ScoringSettings) -> None:
    """Raise UsageError when something is set that means nothing without HTTP."""
    for known in fields(settings):
        if known.name in settings.given and known.metadata.get("http_only"):
            raise UsageError(
                f"{name}.{known.name} is a setting of models behind HTTP; {name} runs in this "
                "process"
            )
    if isinstance(settings.max_batch_count, Limits):
        raise UsageError(
            f"{name}.max_batch_count=auto is for models behind HTTP; {name} runs in this process"
        )
