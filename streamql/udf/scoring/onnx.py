"""ONNX models in this process, run by ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ...column import Column
from ...network.retry import Retry
from .failure import Failure
from .onnx_answers import column_of
from .onnx_model import OnnxModel, OnnxSettings
from .protocols.protocol import BadAnswer, BadRow, Protocol, Text, results
from .script import LocalFunction
from .settings import ScoringSettings
from .stats import ScoringStats
from .transport import Answer, Transport

_TOGETHER = 8_192
"""Rows of which the inputs are made at a time: they are still in the cache when they are used."""


@dataclass(frozen=True)
class OnnxRows(Protocol):
    """Rows as they are: the transport makes tensors of them."""

    name: ClassVar[str] = "onnx"

    def body(self, rows: Sequence[Text]) -> bytes:
        return b"".join((b"[", *rows, b"]"))

    def rows(self, answer: object) -> list[object]:
        return results(answer)


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


class OnnxFunction(LocalFunction):
    """An ONNX model as a function; it is loaded when a query that calls it is compiled."""

    takes_fields: ClassVar[bool] = True

    def __init__(
        self, name: str, path: str, settings: ScoringSettings, options: OnnxSettings
    ) -> None:
        settings = replace(settings, protocol=OnnxRows())
        super().__init__(name, settings)
        self.path = path
        self._options = options
        self._model: OnnxModel | None = None
        self._columns_stats: ScoringStats | None = None

    def prepare(self) -> None:
        self._load()

    def call(self, columns: Sequence[Column], count: int) -> Column:
        found = self._scored(columns[0], count)
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
        outputs: list[list[Any]] = []
        sizes: list[int] = []
        took: list[float] = []
        for first in range(0, count, together):
            size = min(together, count - first)
            feeds = inputs.feeds(first, first + size)
            if feeds is None:
                return None
            for start in range(0, size, limit):
                some = {name: values[start : start + limit] for name, values in feeds.items()}
                sizes.append(min(limit, size - start))
                began = time.monotonic()
                try:
                    outputs.append(model.outputs(some, sizes[-1]))
                except Exception:  # noqa: BLE001 - told by the way of the texts, which meets it too
                    return None
                took.append(time.monotonic() - began)
                if len(outputs) == 1 and limit < count and self._column(outputs, sizes) is None:
                    return None  # nor will the others be a column
        column = self._column(outputs, sizes)
        if column is not None:
            if self._columns_stats is None:
                self._columns_stats = self._counters()
            self._columns_stats.answered(sizes, took)
        return column

    def _column(self, outputs: Sequence[Sequence[Any]], sizes: Sequence[int]) -> Column | None:
        return column_of(outputs, sizes, self._load().names, self.settings.returns)

    def _load(self) -> OnnxModel:
        if self._model is None:
            self._model = OnnxModel(self.name, self.path, self._options)
            if "returns" not in self.settings.given:
                self.settings = replace(self.settings, returns=self._model.returns)
        return self._model

    def transport(self) -> Transport:
        return OnnxTransport(self._load())


class DroppingOnnxFunction(OnnxFunction):
    """A model whose bad rows leave the stream: only the scoring operator can drop rows."""

    remote: ClassVar[bool] = True
