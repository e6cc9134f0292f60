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
from .client import HttpTransport, check_url
from .exchange import Exchange
from .failure import Clock
from .http_scorer import HttpScorer
from .loop import ScoringLoop
from .scorer import Scorer
from .settings import OnError, ScoringSettings
from .stats import ScoringStats
from .ticket import Letter
from .watch import Watch


class ModelFunction(Function):
    """A model as a function of one argument.

    Attributes:
        name: the alias: the model is called as `udf.name`.
        on_warning: gets a line for the user when the model does not answer; from any thread.
        on_dead_letter: gets the record of a row that could not be scored, with
            `on_error=dead_letter`; from the thread that takes results, in the order of the rows.
    """

    volatility = Volatility.STABLE
    can_fail = True
    on_warning: Callable[[str], None] | None = None
    on_dead_letter: Callable[[Letter], None] | None = None

    def __init__(self, name: str, settings: ScoringSettings) -> None:
        self.name = name
        self.settings = settings
        self._counted: list[ScoringStats] = []
        self._caller: Scorer | None = None

    @abstractmethod
    def open(self, partition: int = 0) -> Scorer:
        """Return a new scorer, for one partition of a job. The caller closes it."""

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        if len(types) != 1:
            raise BindError(
                f"udf.{self.name} takes 1 argument, the row to score; found {len(types)}",
                spans[1] if len(types) > 1 and len(spans) > 1 else span,
                f"pack several values into an array with a JavaScript function: "
                f"udf.{self.name}(udf.createArray(a, b)), or into a record with a step: "
                f"WITH row AS (SELECT a, b FROM input) SELECT udf.{self.name}(row) FROM row",
            )
        return self.settings.returns

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

    def _counters(self) -> ScoringStats:
        self._counted.append(ScoringStats())
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

    def _warn(self, text: str) -> None:
        if self.on_warning is not None:
            self.on_warning(text)


class ScoringFunction(ModelFunction):
    """A model behind HTTP. Calls are lifted into an operator, which works with `open`."""

    remote: ClassVar[bool] = True

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

    def open(self, partition: int = 0) -> HttpScorer:
        settings = self.settings
        sink = self._sink()
        transport = HttpTransport(self.url, settings, self._clock)
        endless = settings.total_timeout is None and settings.max_retries is None
        watch = Watch(self.name, transport.target, endless, self._warn, self._clock)
        stats = self._counters()
        exchange = Exchange(self.name, transport, settings, stats, watch, self._clock)
        return HttpScorer(settings, transport, exchange, stats, self._loop, sink)
