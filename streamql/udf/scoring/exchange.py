"""One batch's way through the model: its request, the retries, the halves, `on_error`.

Written once for models behind HTTP and for scripts in this process: a `Transport` carries a body
to the model. The failure table of `docs/scoring.md` is `failure.py` and this file.
"""

from __future__ import annotations

import asyncio
import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ...column import Column, combine, concat, nulls
from ...errors import FunctionError
from .answers import column_of, parse, repeated
from .batch import Batch
from .failure import LIMIT, Clock, Failure, Retry, pause, shortened
from .protocols.protocol import BadAnswer
from .settings import OnError, ScoringSettings
from .stats import ScoringStats
from .watch import Watch


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered: the text of its body, or the value a script returned."""

    text: bytes | None = None
    value: object = None

    def parsed(self) -> object:
        """Return the JSON value. Raises BadAnswer."""
        return self.value if self.text is None else parse(self.text)

    def shown(self) -> str:
        """Return the beginning of the answer, for messages."""
        if self.text is None:
            return repr(self.value)[:4096]
        return self.text[:4096].decode("utf-8", "replace")


class Transport(ABC):
    """Carries the body of a request to a model. Used by one thread.

    Attributes:
        target: what messages call the model; has no secrets in it.
    """

    target: str

    @abstractmethod
    async def send(self, body: bytes, timeout: float) -> Answer:
        """Return the model's answer to a body, within `timeout` seconds. Raises Failure."""

    def hidden(self, text: str) -> str:
        """Return a text of the model's without the secrets that it may repeat."""
        return text

    async def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Give back what is held; the last call."""


class Abandoned(Exception):
    """The batch is given up because the job has failed at another row."""


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        column: the results of the rows up to the failure (all rows without one).
        skipped: the rows that leave the stream; None when none does.
        rejected: dead letters, each with its row.
        failed: the row at which the job has to stop, and why.
    """

    column: Column
    skipped: NDArray[np.bool_] | None = None
    rejected: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    failed: tuple[int, FunctionError] | None = None


class _Stop(Exception):
    """The row at which the job has to stop."""

    def __init__(self, row: int, error: FunctionError) -> None:
        super().__init__(error.message)
        self.row = row
        self.error = error


class Exchange:
    """Scores batches. `abandoned` set by the owner ends all retries with Abandoned."""

    def __init__(
        self,
        alias: str,
        transport: Transport,
        settings: ScoringSettings,
        stats: ScoringStats,
        watch: Watch,
        clock: Clock,
    ) -> None:
        self.abandoned = False
        self.pausing: set[asyncio.Task[Any]] = set()
        self._alias = alias
        self._transport = transport
        self._settings = settings
        self._stats = stats
        self._watch = watch
        self._clock = clock

    async def score(self, batch: Batch[Any]) -> Outcome:
        """Return the results of all rows, or of those before the row at which to stop."""
        outcome = Outcome(nulls(0))
        pieces: list[Column] = []
        try:
            await self._score(batch, 0, len(batch), True, pieces, outcome)
        except _Stop as stop:
            outcome.failed = (stop.row, stop.error)
        outcome.column = concat(pieces) if pieces else nulls(0)
        self._stats.events += len(outcome.column)
        return outcome

    async def _score(
        self,
        batch: Batch[Any],
        start: int,
        stop: int,
        patient: bool,
        pieces: list[Column],
        outcome: Outcome,
    ) -> None:
        """Score some rows of a batch; halves go left first, so that the first bad row is found."""
        try:
            column, bad, answer = await self._request(batch, start, stop, patient)
        except Failure as failure:
            if failure.rows_to_blame and stop - start > 1:
                middle = (start + stop) // 2
                patient = patient and not failure.spent
                await self._score(batch, start, middle, patient, pieces, outcome)
                await self._score(batch, middle, stop, patient, pieces, outcome)
                return
            pieces.append(self._rejected(batch, start, stop, failure, outcome))
            return
        if bad:
            column = self._without(batch, start, column, bad, answer, outcome, pieces)
        pieces.append(column)

    def _without(
        self,
        batch: Batch[Any],
        start: int,
        column: Column,
        bad: dict[int, str],
        answer: Answer,
        outcome: Outcome,
        pieces: list[Column],
    ) -> Column:
        """Return a good answer's column after `on_error` decided about its bad results."""
        good = np.ones(len(column), bool)
        fills: list[tuple[NDArray[np.int64] | None, Column]] = []
        for row, wrong in sorted(bad.items()):
            good[row] = False
            failure = Failure(
                f"answered {wrong} for a row",
                Retry.NEVER,
                rows_to_blame=True,
                label="200",
                status=200,
                body=self._transport.hidden(answer.shown()),
            )
            try:
                fill = self._rejected(batch, start + row, start + row + 1, failure, outcome)
            except _Stop:
                pieces.append(column.slice(0, row))
                raise
            fills.append((np.array([row]), fill))
        rows = np.flatnonzero(good)
        return combine(len(column), [(rows, column.take(rows)), *fills])

    # -- one request ------------------------------------------------------------------------

    async def _request(
        self, batch: Batch[Any], start: int, stop: int, patient: bool
    ) -> tuple[Column, dict[int, str], Answer]:
        """Send some rows until there is an answer or no attempt is left. Raises Failure.

        Without patience a model that fails by itself is not asked again: the whole batch was,
        as often as the settings say.
        """
        settings, clock = self._settings, self._clock
        body = settings.protocol.body(batch.rows(start, stop))
        began = clock.now()
        end = math.inf if settings.total_timeout is None else began + settings.total_timeout
        attempts = limited = 0
        while True:
            timeout = min(settings.attempt_timeout, max(0.001, end - clock.now()))
            try:
                result = await self._attempt(body, stop - start, timeout)
            except Failure as failure:
                attempts += 1
                limited += failure.retry is Retry.LIMITED
                if failure.retry is Retry.NEVER:
                    raise
                wait = pause(attempts, failure.wait, clock.random())
                if settings.max_retries is None:
                    over = failure.retry is Retry.LIMITED and limited > LIMIT
                else:
                    over = attempts > settings.max_retries
                if over or clock.now() + wait >= end or (failure.rows_to_blame and not patient):
                    failure.spent = True
                    if attempts > 1:
                        failure.cause += f" ({attempts} attempts in {clock.now() - began:,.1f} s)"
                    raise
                if self.abandoned:
                    raise Abandoned from None
                self._stats.retries[failure.label] += 1
                self._watch.failed(failure, attempts, wait)
                await self._sleep(wait)
                continue
            self._watch.answered()
            return result

    async def _attempt(
        self, body: bytes, count: int, timeout: float
    ) -> tuple[Column, dict[int, str], Answer]:
        stats, clock = self._stats, self._clock
        began = clock.now()
        stats.sent()
        good = False
        try:
            answer = await self._transport.send(body, timeout)
            try:
                results = self._results(answer, count)
            except BadAnswer as bad:
                raise Failure(
                    f"answered {bad}",
                    Retry.NEVER,
                    rows_to_blame=True,
                    label="200",
                    status=200,
                    body=self._transport.hidden(answer.shown()),
                ) from None
            column, wrong = column_of(results, self._settings.returns)
            good = not wrong
            return column, wrong, answer
        finally:
            stats.ended(clock.now() - began, good)

    def _results(self, answer: Answer, count: int) -> list[object]:
        results = self._settings.protocol.rows(answer.parsed())
        if len(results) != count:
            raise BadAnswer(f"{len(results):,} results for {count:,} rows")
        return results

    async def _sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        if task is not None:
            self.pausing.add(task)
        try:
            await self._clock.sleep(seconds)
        finally:
            if task is not None:
                self.pausing.discard(task)

    # -- on_error ---------------------------------------------------------------------------

    def _rejected(
        self, batch: Batch[Any], start: int, stop: int, failure: Failure, outcome: Outcome
    ) -> Column:
        """Return what stands for rows that could not be scored. Raises _Stop when the job stops.

        A failure that neither rows nor time can heal (a wrong key, a wrong address) stops the job
        whatever `on_error` says: it would happen to all rows.
        """
        policy = self._settings.on_error
        lasting = not failure.rows_to_blame and not failure.spent
        if policy.action is OnError.FAIL or lasting:
            raise _Stop(start, self._error(batch, start, stop, failure))
        self._stats.rejected_events += stop - start
        if policy.drops:
            if outcome.skipped is None:
                outcome.skipped = np.zeros(len(batch), bool)
            outcome.skipped[start:stop] = True
        if policy.action is OnError.DEAD_LETTER:
            for row in range(start, stop):
                outcome.rejected.append((row, self._letter(batch, row, failure)))
        value = policy.default if policy.action is OnError.DEFAULT else None
        return repeated(value, stop - start)

    def _error(self, batch: Batch[Any], start: int, stop: int, failure: Failure) -> FunctionError:
        message = f"udf.{self._alias}: {self._transport.target} {failure.cause}"
        if failure.body:
            message += f": {shortened(failure.body.strip())}"
        row = shortened(batch.text(start))
        rest = stop - start - 1
        message += f"; row {row}" + (f" and {rest:,} more" if rest else "")
        hint = failure.hint
        if hint is None and failure.rows_to_blame:
            hint = (
                f"set {self._alias}.on_error to null, default: VALUE, skip or dead_letter "
                "to go on without such rows"
            )
        return FunctionError(message, hint=hint, event=batch.event(start))

    def _letter(self, batch: Batch[Any], row: int, failure: Failure) -> dict[str, Any]:
        text = batch.text(row)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = json.loads(text)
        return {
            "function": self._alias,
            "event": batch.event(row),
            "row": value,
            "url": self._transport.target,
            "error": failure.cause,
            "status": failure.status,
            "body": shortened(failure.body),
        }
