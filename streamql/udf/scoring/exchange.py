"""One batch's way through the model: its request, the retries, the halves, `on_error`.

Written once for models behind HTTP and for scripts in this process: a `Transport` carries a body
to the model. The failure table of `docs/scoring.md` is `failure.py` and this file.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...column import Column, combine, concat, nulls
from ...network.retry import Retry, pause
from .answers import column_of
from .batch import Batch
from .door import Door
from .failure import LIMIT, Clock, Failure
from .protocols.protocol import BadAnswer, BadRow
from .rejection import Outcome, Rejections, Stop
from .settings import ScoringSettings
from .stats import ScoringStats
from .transport import Answer, Transport
from .tuner import Tuner
from .validation import checker_of
from .watch import Watch


class Abandoned(Exception):
    """The batch is given up because the job has failed at another row."""


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
        door: Door | None = None,
        tuner: Tuner | None = None,
    ) -> None:
        """`door` and `tuner` are for transports that are asked many things at a time."""
        self.abandoned = False
        self.pausing: set[asyncio.Task[Any]] = set()
        self._alias = alias
        self._transport = transport
        self._settings = settings
        self._stats = stats
        self._watch = watch
        self._clock = clock
        self._door = door
        self._tuner = tuner
        self._working = 0
        if tuner is not None:
            stats.batch, stats.parallel, stats.tuned = tuner.batch, tuner.parallel, tuner.tunes
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._rejections = Rejections(alias, transport, settings, stats)
        self._checker = checker_of(settings)

    async def score(self, batch: Batch[Any]) -> Outcome:
        """Return the results of all rows, or of those before the row at which to stop."""
        outcome = Outcome(nulls(0))
        pieces: list[Column] = []
        try:
            await self._score(batch, 0, len(batch), True, pieces, outcome)
        except Stop as stop:
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
            pieces.append(self._rejections.decide(batch, start, stop, failure, outcome))
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
                hint=self._broken_promise(wrong),
            )
            try:
                fill = self._rejections.decide(
                    batch, start + row, start + row + 1, failure, outcome
                )
            except Stop:
                pieces.append(column.slice(0, row))
                raise
            fills.append((np.array([row]), fill))
        rows = np.flatnonzero(good)
        return combine(len(column), [(rows, column.take(rows)), *fills])

    def _broken_promise(self, wrong: str) -> str | None:
        """Return what to do about a result of another type than the server's signature says."""
        if "returns" in self._settings.given or " instead of " not in wrong:
            return None
        return (
            f"the server's signature promises {self._settings.returns}; "
            "set `returns` of this function to the type that it answers, or to any"
        )

    async def once(self, batch: Batch[Any]) -> None:
        """Make one attempt with a batch: no retries, no halves, no `on_error`. Raises Failure."""
        body = self._body(batch, 0, len(batch))
        timeout = self._settings.attempt_timeout
        _, bad, answer = await self._attempt(body, len(batch), timeout, 1)
        for wrong in bad.values():
            shown = self._transport.hidden(answer.shown())
            cause = f"answered {wrong} for a row"
            raise Failure(
                cause, Retry.NEVER, rows_to_blame=True, label="200", status=200, body=shown
            )

    # -- one request ------------------------------------------------------------------------

    async def _request(
        self, batch: Batch[Any], start: int, stop: int, patient: bool
    ) -> tuple[Column, dict[int, str], Answer]:
        """Send some rows until there is an answer or no attempt is left. Raises Failure.

        Without patience a model that fails by itself is not asked again: the whole batch was,
        as often as the settings say.
        """
        settings, clock = self._settings, self._clock
        body = self._body(batch, start, stop)
        began = clock.now()
        end = math.inf if settings.total_timeout is None else began + settings.total_timeout
        attempts = limited = 0
        while True:
            try:
                result = await self._admitted(body, stop - start, end, attempts + 1)
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

    def _body(self, batch: Batch[Any], start: int, stop: int) -> bytes:
        """Return the request's body. Raises Failure where a row does not fit the model."""
        try:
            if self._checker is not None:
                self._checker.check(batch, start, stop)
            return self._settings.protocol.body(batch.rows(start, stop))
        except BadRow as bad:
            raise Failure(
                f"was not asked: {bad}", Retry.NEVER, rows_to_blame=True, label="row"
            ) from None

    async def _admitted(
        self, body: bytes, count: int, end: float, attempt: int
    ) -> tuple[Column, dict[int, str], Answer]:
        """Make an attempt when the rate limit and the breaker allow it, and learn from it."""
        clock, door, tuner = self._clock, self._door, self._tuner
        probe = False
        if door is not None:
            with self._pausing():
                probe = await door.enter(count, end)
        if tuner is not None:
            await self._room(tuner)
        number, size = (0, 0) if tuner is None else (tuner.round, tuner.batch)
        began, alive = clock.now(), None
        try:
            timeout = min(self._settings.attempt_timeout, max(0.001, end - began))
            result = await self._attempt(body, count, timeout, attempt)
            alive = True
        except Failure as failure:
            alive = failure.retry is Retry.NEVER
            if tuner is not None:
                tuner.refused(number, failure.label)
            raise
        finally:
            if door is not None:
                self._stats.breaker_openings += door.left(alive, probe)
                self._stats.breaker = door.state
            self._left()
        if tuner is not None:
            full = 0.9 * size <= count <= 1.1 * size
            full |= len(body) >= 0.9 * self._settings.max_batch_bytes
            tuner.answered(number, count, clock.now() - began, full)
            self._stats.batch, self._stats.parallel = tuner.batch, tuner.parallel
        return result

    async def _room(self, tuner: Tuner) -> None:
        """Wait until no more requests are at work than the tuner wants, and count one more.

        Without this, requests that were refused would be sent again beside those that took their
        place, and the server would seem to take fewer than it does.
        """
        while self._working >= tuner.parallel:
            free = asyncio.get_running_loop().create_future()
            self._waiting.append(free)
            with self._pausing():
                await free
            if self.abandoned:
                raise Abandoned
        self._working += 1

    def _left(self) -> None:
        """A request has ended: those that wait look again whether there is room."""
        self._working = max(0, self._working - 1)
        while self._waiting:
            free = self._waiting.popleft()
            if not free.done():
                free.set_result(None)

    async def _attempt(
        self, body: bytes, count: int, timeout: float, attempt: int
    ) -> tuple[Column, dict[int, str], Answer]:
        stats, clock = self._stats, self._clock
        began = clock.now()
        stats.sent(count)
        good, status = False, "200"
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
        except Failure as failure:
            status = failure.label
            raise
        finally:
            stats.ended(clock.now() - began, good)
            if stats.on_request is not None:
                stats.on_request(count, clock.now() - began, status, attempt)
        return column, wrong, answer

    def _results(self, answer: Answer, count: int) -> list[object]:
        results = self._settings.protocol.rows(answer.parsed())
        if len(results) != count:
            rows = "1 row" if count == 1 else f"{count:,} rows"
            raise BadAnswer(f"{len(results):,} results for {rows}")
        return results

    async def _sleep(self, seconds: float) -> None:
        with self._pausing():
            await self._clock.sleep(seconds)

    @contextlib.contextmanager
    def _pausing(self) -> Iterator[None]:
        """The task is one that nothing is lost with when it is cancelled: it waits."""
        task = asyncio.current_task()
        if task is not None:
            self.pausing.add(task)
        try:
            yield
        finally:
            if task is not None:
                self.pausing.discard(task)
