"""Scripts in this process as models: the embedded way to score, without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import FunctionError
from .batch import Batch, Part, Texts
from .entry import EntryScript, ScriptFailed
from .exchange import Exchange
from .failure import Clock, of_exception, of_script
from .function import ModelFunction
from .scorer import Scorer
from .settings import ScoringSettings
from .stats import ScoringStats
from .ticket import Letter, Ticket
from .transport import Answer, Transport
from .watch import Watch


class ScriptTransport(Transport):
    """Calls run() of an entry script; an exception is a failure that rows can be to blame for."""

    def __init__(self, script: EntryScript) -> None:
        self.target = str(script.path)
        self._script = script

    async def send(self, body: bytes, timeout: float) -> Answer:
        try:
            value = self._script.run(body)
        except ScriptFailed as error:
            raise of_exception(error.place, error.said) from error
        if hasattr(value, "status_code") and hasattr(value, "get_data"):
            # a response object of the server's own, which is what a script for it may return
            response: Any = value
            status, text = int(response.status_code), bytes(response.get_data())
            if status == 200:
                return Answer(text)
            raise of_script(status, response.headers, text.decode("utf-8", "replace"))
        return Answer(value=value)


class LocalFunction(ModelFunction):
    """A model in this process, which is asked batch by batch in the thread that submits."""

    remote: ClassVar[bool] = False

    def __init__(self, name: str, settings: ScoringSettings) -> None:
        super().__init__(name, settings)
        settings.refuse_http_only(name)

    def open(self, partition: int = 0) -> Scorer:
        sink = self._sink()
        transport, clock = self.transport(), Clock()
        watch = Watch(self.name, transport.target, False, self._warn, clock)
        stats = self._counters()
        exchange = Exchange(self.name, transport, self.settings, stats, watch, clock)
        return self._recorded(LocalScorer(self.settings, exchange, stats, sink), transport)


class ScriptFunction(LocalFunction):
    """An entry script as a function; it is loaded when the first scorer is opened or called."""

    def __init__(self, name: str, path: str, settings: ScoringSettings) -> None:
        super().__init__(name, settings)
        self.path = path
        self._script = EntryScript(name, path)

    def transport(self) -> Transport:
        self._script.load()
        return ScriptTransport(self._script)


class DroppingScriptFunction(ScriptFunction):
    """A script whose bad rows leave the stream: only the scoring operator can drop rows."""

    remote: ClassVar[bool] = True


class LocalScorer(Scorer):
    """Asks a model of this process, batch by batch in the thread that submits.

    Tickets are done at once.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        exchange: Exchange,
        stats: ScoringStats,
        bury: Callable[[Letter], None] | None,
    ) -> None:
        self.stats = stats
        self._settings = settings
        self._exchange = exchange
        self._bury = bury
        self._submitted = 0

    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        texts = Texts(rows)
        ticket = Ticket(self._submitted, len(texts), self._taken)
        self._submitted += len(texts)
        settings = self._settings
        room = max(1, settings.max_batch_bytes - len(settings.protocol.body([b""])))
        start = 0
        while start < len(texts) and not ticket.done:
            stop = max(start + 1, texts.fitting(start, settings.batch_limits.high, room))
            self._score(Batch([Part(ticket, texts, events, start, stop)]), ticket, start)
            start = stop
        if self.on_progress is not None:
            self.on_progress()
        return ticket

    def _score(self, batch: Batch[Ticket], ticket: Ticket, start: int) -> None:
        work = self._exchange.score(batch)
        try:
            # nothing waits here, so that the coroutine ends at its first step: no loop is needed
            work.send(None)
        except StopIteration as ended:
            outcome = ended.value
        else:
            raise AssertionError("an exchange within this process waited")
        for row, letter in outcome.rejected:
            ticket.reject(start + row, letter)
        for row, failure in outcome.causes:
            ticket.blame(start + row, failure)
        if len(outcome.column):
            known = None if outcome.decided is None else outcome.decided[: len(outcome.column)]
            ticket.fill(start, outcome.column, known, outcome.drops)
        if outcome.failed is not None:
            row, error = outcome.failed
            ticket.fail(
                FunctionError(error.message, hint=error.hint, row=start + row, event=error.event)
            )

    def flush(self, final: bool = False) -> None:
        """Nothing is ever queued."""

    @property
    def saturated(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        return True

    def cancel(self) -> None:
        """Nothing is ever under way."""

    def _taken(self, count: int, letters: list[Letter]) -> None:
        if self._bury is not None:
            for letter in letters:
                self._bury(letter)
