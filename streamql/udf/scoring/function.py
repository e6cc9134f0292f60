"""The function object behind `udf.score`: what all models share, and models behind HTTP."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from ...column import Column, nulls
from ...errors import BindError, FunctionError, Span, UsageError
from ...functions.registry import Function, Volatility
from ...types import Type
from .cache import AnswerCache, CachingScorer
from .calls import CallRecorder, Signed
from .client import HttpTransport, check_url, shown_url
from .discovery import Learned, address, learn, needed
from .door import Door
from .exchange import Exchange
from .failure import Clock
from .http_scorer import HttpScorer
from .loop import ScoringLoop
from .scorer import Scorer
from .settings import OnError, ScoringSettings
from .stats import ScoringStats
from .ticket import Letter
from .transport import Transport
from .tuner import Tuner
from .watch import Watch


class ModelFunction(Function):
    """A model as a function of one argument.

    Attributes:
        name: the alias: the model is called as `udf.name`.
        on_warning: gets a line for the user when the model does not answer; from any thread.
        on_dead_letter: gets the record of a row that could not be scored, with
            `on_error=dead_letter`; from the thread that takes results, in the order of the rows.
        recorder: keeps every row with its answer.
        parallel: whether it can be asked several things at a time.
        on_request: is told of each request that ended, see `ScoringStats`; from any thread.
    """

    volatility = Volatility.STABLE
    can_fail = True
    on_warning: Callable[[str], None] | None = None
    on_dead_letter: Callable[[Letter], None] | None = None
    on_request: Callable[[int, float, str, int], None] | None = None
    recorder: CallRecorder | None = None
    parallel: ClassVar[bool] = False

    def __init__(self, name: str, settings: ScoringSettings) -> None:
        self.name = name
        self.settings = settings
        self._counted: list[ScoringStats] = []
        self._caller: Scorer | None = None

    @abstractmethod
    def open(self, partition: int = 0) -> Scorer:
        """Return a new scorer, for one partition of a job. The caller closes it."""

    @abstractmethod
    def transport(self) -> Transport:
        """Return a new way to the model, which is loaded, or asked for what is not known of it."""

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        if len(types) != 1:
            raise BindError(
                f"udf.{self.name} takes 1 argument, the row to score; found {len(types)}",
                spans[1] if len(types) > 1 and len(spans) > 1 else span,
                f"pack several values into an array with a JavaScript function: "
                f"udf.{self.name}(udf.createArray(a, b)), or into a record with a step: "
                f"WITH row AS (SELECT a, b FROM input) SELECT udf.{self.name}(row) FROM row",
            )
        self.prepare()
        return self.settings.returns

    def partitioned(self, partitions: int) -> Scorer:
        """Return a scorer that works with as many scorers as there are partitions.

        A model that is asked one thing at a time is not asked more by it.
        """
        if partitions == 1 or not self.parallel:
            return self.open()
        from .lanes import LanedScorer  # noqa: PLC0415 - few jobs have partitions

        return LanedScorer([self.open(number) for number in range(partitions)])

    def prepare(self) -> None:
        """Find out what a query has to know of the model: its type, its names. Raises UsageError.

        Scripts are loaded later: nothing of them is known before they have answered.
        """

    def call(self, columns: Sequence[Column], count: int) -> Column:
        """Score rows and wait for the answers: for calls that no operator makes."""
        if count == 0:
            return nulls(0)
        if self._caller is None:
            self._caller = self.open()
        scorer = self._caller
        try:
            ticket = scorer.submit(columns[0].to_json(marked=False), np.arange(1, count + 1))
            scorer.flush(final=True)
            while not ticket.done:
                scorer.wait()
            column = ticket.result()
        except FunctionError as error:
            error.event = None  # the number within these rows is not the event's
            self.close()  # a scorer ends with the first failure
            raise
        except BaseException:
            self.close()
            raise
        if ticket.skipped is not None:
            raise FunctionError(
                f"udf.{self.name}: a row could not be scored, and on_error="
                f"{self.settings.on_error.action.value} cannot drop it here",
                hint="move the call into a SELECT list of its own, e.g. into a WITH step",
                row=int(np.argmax(ticket.skipped)),
            )
        return column

    @property
    def stats(self) -> ScoringStats:
        """The counters of all scorers of this function, those of `call` included."""
        total = ScoringStats()
        for stats in self._counted:
            total.add(stats)
        return total

    def observe(self, on_request: Callable[[int, float, str, int], None]) -> None:
        """Have each request told that ends; see `ScoringStats`. From any thread."""
        self.on_request = on_request
        for stats in self._counted:
            stats.on_request = on_request

    def _counters(self) -> ScoringStats:
        self._counted.append(ScoringStats(on_request=self.on_request))
        return self._counted[-1]

    def close(self) -> None:
        """Give back what `call` holds; scorers that were opened are closed by their owners."""
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.close()

    def _sink(self) -> Callable[[Letter], None] | None:
        """Return where dead letters go; UsageError when they have to go somewhere and cannot."""
        if self.settings.on_error.action is not OnError.DEAD_LETTER:
            return None
        if self.on_dead_letter is None:
            raise UsageError(
                f"{self.name}.on_error=dead_letter needs a place for the dead letters",
                hint="--set dead_letters=FILE, or on_error = fail, null, default: VALUE or skip",
            )
        return self.on_dead_letter

    def _recorded(self, scorer: Scorer, transport: Transport) -> Scorer:
        """Return the scorer, with one before it that notes its answers if they are recorded."""
        if self.recorder is None:
            return scorer
        from .recording import RecordingScorer  # noqa: PLC0415 - few jobs record

        settings = self.settings
        signed = Signed(transport.target, settings.protocol.name, str(settings.returns))
        self.recorder.sign(self.name, signed)
        return RecordingScorer(scorer, self.name, self.recorder)

    def _warn(self, text: str) -> None:
        if self.on_warning is not None:
            self.on_warning(text)


class ScoringFunction(ModelFunction):
    """A model behind HTTP. Calls are lifted into an operator, which works with `open`."""

    remote: ClassVar[bool] = True
    parallel: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        url: str,
        settings: ScoringSettings,
        loop: ScoringLoop,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name, settings)
        check_url(name, url)
        self.url = url
        self._loop = loop
        self._clock = clock or Clock()
        self._learned: Learned | None = None
        self._door: Door | None = None
        self._cache: AnswerCache | None = None

    def prepare(self) -> None:
        """Ask the server, once, for the protocol and the signature. Raises UsageError."""
        if self._learned is not None:
            return
        learned = learn(self.name, self.url, self.settings, self._loop, self._clock)
        self._learned, self.settings, self.url = learned, learned.settings, learned.url
        signature = learned.signature
        if signature is not None and signature.empty:
            self._warn(
                f"udf.{self.name}: {shown_url(signature.source)} gives no signature "
                f"({signature.note}); the call has the type {self.settings.returns}"
            )

    def open(self, partition: int = 0) -> Scorer:
        sink = self._sink()
        transport, settings = self.transport(), self.settings
        endless = settings.total_timeout is None and settings.max_retries is None
        watch = Watch(self.name, transport.target, endless, self._warn, self._clock)
        stats, clock = self._counters(), self._clock
        if self._door is None:  # one for all partitions: it is the server that is protected
            self._door = Door(settings, self._warn, f"udf.{self.name}: {transport.target}", clock)
        limits = settings.batch_limits, settings.parallel_limits
        tuner = Tuner(*limits, clock.now, settings.attempt_timeout)
        exchange = Exchange(self.name, transport, settings, stats, watch, clock, self._door, tuner)
        cache = self._answers()
        bury = sink if cache is None else None
        scorer: Scorer
        scorer = HttpScorer(settings, transport, exchange, stats, self._loop, bury, tuner)
        scorer = self._recorded(scorer, transport)
        if cache is None:
            return scorer
        return CachingScorer(scorer, cache, self._counters(), sink)

    def transport(self) -> HttpTransport:
        if needed(self.settings):
            self.prepare()
        url = address(self.name, self.url, self.settings.protocol)
        return HttpTransport(url, self.settings, self._clock)

    def _answers(self) -> AnswerCache | None:
        """Return the cache, one for all partitions."""
        if self._cache is None and self.settings.cache is not None:
            self._cache = AnswerCache(self.settings.cache, self._clock.now)
        return self._cache
