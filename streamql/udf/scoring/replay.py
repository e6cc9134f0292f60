"""Models that answer from a file of recorded calls: no network, no script, no session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import orjson

from ...network.retry import Retry
from .calls import RecordedCalls
from .exchange import Exchange
from .failure import Clock, Failure
from .function import ModelFunction
from .onnx import OnnxRows
from .scorer import Scorer
from .script import LocalScorer
from .settings import ScoringSettings, type_of_answers
from .stats import ScoringStats
from .transport import Answer, Transport
from .watch import Watch


class ReplayTransport(Transport):
    """Answers a list of rows from a file.

    A recorded failure is one of its row, about which `on_error` decides as it did; a row that was
    never recorded stops the job whatever `on_error` says.
    """

    def __init__(self, alias: str, calls: RecordedCalls) -> None:
        self.target = calls.signed(alias).model
        self._alias = alias
        self._calls = calls

    async def send(self, body: bytes, timeout: float) -> Answer:
        rows = [orjson.dumps(row) for row in orjson.loads(body)]
        found = [self._calls.find(self._alias, row) for row in rows]
        alone = len(rows) == 1
        answers: list[Any] = []
        for row, call in zip(rows, found, strict=True):
            if call is None:
                alike = "" if not alone else self._calls.alike(self._alias, row)
                raise Failure(
                    f"was not asked: {self._calls.path} has no answer to this row; {alike}",
                    Retry.NEVER,
                    rows_to_blame=not alone,  # until it stands alone
                    label="row",
                    hint="record it: run once with --record-calls instead of --replay-calls",
                )
            if call.failure is not None:
                raise Failure(
                    call.failure,
                    Retry.NEVER,
                    rows_to_blame=True,
                    label="recorded",
                    status=call.status,
                    body=call.body,
                )
            answers.append(call.answer)
        return Answer(value=answers)


class _NoRequests(ScoringStats):
    """Counts rows alone: looking into a file is no request."""

    def sent(self, rows: int) -> None:
        pass

    def ended(self, seconds: float, good: bool) -> None:
        pass


class ReplayedFunction(ModelFunction):
    """A model whose calls were recorded; its type is the recorded one, or that of the settings."""

    remote: ClassVar[bool] = False

    def __init__(self, name: str, settings: ScoringSettings, calls: RecordedCalls) -> None:
        super().__init__(name, replace(settings, protocol=OnnxRows()))
        self._calls = calls
        self._known = False

    def prepare(self) -> None:
        """Take the type of the answers from the file. Raises UsageError."""
        if self._known:
            return
        self._known = True
        signed = self._calls.signed(self.name)
        if "returns" not in self.settings.given:
            self.settings = replace(self.settings, returns=type_of_answers(signed.returns))

    def open(self, partition: int = 0) -> Scorer:
        sink = self._sink()
        self.prepare()
        # what did not fit the model is recorded as such
        settings = replace(self.settings, validate="off")
        transport, clock, stats = self.transport(), Clock(), _NoRequests()
        self._counted.append(stats)
        watch = Watch(self.name, transport.target, False, self._warn, clock)
        exchange = Exchange(self.name, transport, settings, stats, watch, clock)
        return LocalScorer(settings, exchange, stats, sink)

    def transport(self) -> Transport:
        return ReplayTransport(self.name, self._calls)


class RemoteReplayedFunction(ReplayedFunction):
    """The same for models that only the scoring operator calls."""

    remote: ClassVar[bool] = True
