"""ONNX models in this process, run by ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa

from ...errors import UsageError
from .exchange import Exchange
from .failure import Clock, Failure, Retry
from .function import ModelFunction
from .protocols.protocol import BadAnswer, BadRow, Protocol, Text, results
from .schemas import type_of
from .scorer import Scorer
from .script import ScriptScorer
from .settings import ScoringSettings
from .signatures.onnx import of_session, open_session
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
_NUMERIC = b"0123456789+-.eE[],"
_COMMA, _CLOSE = b",]"


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

    def feeds(self, body: bytes) -> dict[str, Any]:
        """Return the model's inputs for a JSON list of rows. Raises BadRow."""
        if len(self.inputs) == 1:
            only = self.inputs[0]
            width = only.shape[1] if len(only.shape) == 2 else 0
            if width > 0 and only.datatype in FLOATS:
                numbers = _numbers(body, width)
                if numbers is not None:
                    return {only.name: numbers.astype(_DTYPES[only.datatype])}
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


def _numbers(body: bytes, width: int) -> Any:
    """Return the numbers of a JSON list of arrays of `width` numbers; None for another text.

    Arrow reads the numbers where they stand, in half of the time that a JSON parser and numpy take.
    """
    if body.translate(None, _NUMERIC):
        return None
    marks = np.frombuffer(body, np.uint8)
    commas = np.flatnonzero(marks == _COMMA)
    rows, rest = divmod(len(commas) + 1, width)
    between = marks[commas - 1] == _CLOSE
    each = bool(between[width - 1 :: width].all()) and int(between.sum()) == rows - 1
    if rest or not each or body[:2] != b"[[" or {body.count(b"["), body.count(b"]")} != {rows + 1}:
        return None
    numbers = body.translate(None, b"[],")
    # what stands before the n-th comma: all of the text but for n commas and the brackets
    offsets = np.empty(rows * width + 1, np.int32)
    offsets[0], offsets[-1] = 0, len(numbers)
    count = np.arange(1, rows * width)
    offsets[1:-1] = commas - (count - 1) - 2 * ((count - 1) // width) - 2 - (count % width == 0)
    texts = pa.Array.from_buffers(
        pa.string(), rows * width, [None, pa.py_buffer(offsets), pa.py_buffer(numbers)]
    )
    try:
        return texts.cast(pa.float64()).to_numpy(zero_copy_only=False).reshape(rows, width)
    except pa.ArrowInvalid:
        return None


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

    def __init__(
        self, name: str, path: str, settings: ScoringSettings, options: OnnxSettings
    ) -> None:
        settings = replace(settings, protocol=OnnxRows())
        super().__init__(name, settings)
        _refuse_http_only(name, settings)
        self.path = path
        self._options = options
        self._model: OnnxModel | None = None

    def prepare(self) -> None:
        self._load()

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
