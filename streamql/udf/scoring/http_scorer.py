"""Scores rows of one partition over HTTP: queues them, forms requests, keeps order.

Two threads meet here: the engine's, which submits rows and takes results, and the loop's, which
sends. What both touch is guarded by `_lock`; the rest belongs to the loop.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import FunctionError
from .batch import Batch, Part, Texts
from .client import HttpTransport
from .exchange import Abandoned, Exchange
from .loop import ScoringLoop
from .rejection import Outcome
from .scorer import Scorer
from .settings import ScoringSettings
from .stats import ScoringStats
from .ticket import Letter, Ticket
from .tuner import Tuner

_CLOSING = 0.9
"""Seconds that `cancel` waits for connections to close."""


class HttpScorer(Scorer):
    """A scorer of a model behind HTTP."""

    def __init__(
        self,
        settings: ScoringSettings,
        transport: HttpTransport,
        exchange: Exchange,
        stats: ScoringStats,
        loop: ScoringLoop,
        bury: Callable[[Letter], None] | None,
        tuner: Tuner,
    ) -> None:
        self.stats = stats
        self.ordered = settings.ordered
        self._settings = settings
        self._transport = transport
        self._exchange = exchange
        self._loop = loop
        self._bury = bury
        # a body has an envelope around its rows
        self._room = max(1, settings.max_batch_bytes - len(settings.protocol.body([b""])))
        self._tuner = tuner
        self._lock = threading.Lock()
        self._happened = threading.Event()
        self._queue: deque[tuple[Part[Ticket], float]] = deque()
        self._open: dict[int, Ticket] = {}
        self._submitted = self._due = 0
        self._queued_rows = self._queued_bytes = 0
        self._flying_rows = self._flying_bytes = self._untaken = 0
        self._failed: tuple[int, FunctionError] | None = None
        self._error: Exception | None = None
        self._closed = self._awake = False
        # the loop's own: tasks by the number of their first row, and the timer of max_batch_wait
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        loop.call(transport.warm)
        loop.hold(transport.close)

    # -- the engine's side ------------------------------------------------------------------

    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        texts = Texts(rows)
        count = len(texts)
        with self._lock:
            ticket = Ticket(self._submitted, count, self._taken)
            if self._error is not None or self._closed:
                ticket.fail(self._error or _cancelled())
                return ticket
            self._submitted += count
            if count == 0:
                return ticket
            self._open[ticket.first] = ticket
            part = Part(ticket, texts, events, 0, count)
            wait = self._settings.max_batch_wait
            self._queue.append((part, asyncio_time(self._loop) + wait if wait else math.inf))
            self._queued_rows += count
            self._queued_bytes += texts.size(0, count)
            self._untaken += count
            ready = self._full() or wait > 0
        if ready:
            self._wake()
        return ticket

    def flush(self, final: bool = False) -> None:
        if self._settings.max_batch_wait and not final:
            return
        with self._lock:
            self._due = self._submitted
            ready = bool(self._queue)
        if ready:
            self._wake()

    @property
    def saturated(self) -> bool:
        with self._lock:
            limit_rows = self._tuner.batch * self._tuner.parallel
            limit_bytes = self._settings.max_batch_bytes * self._tuner.parallel
            # with nothing on its way and no batch full, only more rows bring anything about
            stuck = not self._flying_rows and not self._full()
            # rows that are answered but wait for the answer before them cost memory as well
            return (
                self._queued_rows + self._flying_rows >= 2 * limit_rows
                or self._queued_bytes + self._flying_bytes >= 2 * limit_bytes
                or (self._untaken >= 4 * limit_rows and not stuck)
            )

    def wait(self, timeout: float | None = None) -> bool:
        happened = self._happened.wait(timeout)
        self._happened.clear()
        return happened

    def cancel(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._loop.run(self._shut(), _CLOSING)
        self._loop.release(self._transport.close)
        self._give_up(_cancelled())

    def _taken(self, count: int, letters: list[Letter]) -> None:
        with self._lock:
            self._untaken -= count
        if self._bury is not None:
            for letter in letters:
                self._bury(letter)

    # -- the loop's side --------------------------------------------------------------------

    def _wake(self) -> None:
        with self._lock:
            asleep, self._awake = not self._awake, True
        if asleep:
            self._loop.call(self._pump)

    def _pump(self) -> None:
        """Start requests as long as there are rows for one and a connection is free."""
        with self._lock:
            self._awake = False
        while len(self._tasks) < self._tuner.parallel:
            with self._lock:
                batch, later = self._cut(asyncio.get_running_loop().time())
            if batch is None:
                self._tuner.starved()
                self._set_timer(later)
                return
            first = batch.parts[0].owner.first + batch.parts[0].start
            task = asyncio.get_running_loop().create_task(self._run(first, batch))
            self._tasks[first] = task

    def _set_timer(self, later: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if later < math.inf:
            self._timer = asyncio.get_running_loop().call_at(later, self._pump)

    def _full(self) -> bool:
        return self._queued_rows >= self._tuner.batch or self._queued_bytes > self._room

    def _cut(self, now: float) -> tuple[Batch[Ticket] | None, float]:
        """Return the next request's rows, or None and when to look again. Under the lock."""
        if not self._queue or self._failed is not None or self._closed:
            return None, math.inf
        head, deadline = self._queue[0]
        due = head.owner.first + head.start < self._due or deadline <= now
        if not (due or self._full()):
            return None, deadline
        parts: list[Part[Ticket]] = []
        rows, room = self._tuner.batch, self._room
        while self._queue and rows:
            part, deadline = self._queue[0]
            stop = part.texts.fitting(part.start, rows, room)
            if stop <= part.start:
                if parts:
                    break
                stop = part.start + 1  # a row too long for any batch goes alone
            size = part.texts.size(part.start, stop)
            parts.append(Part(part.owner, part.texts, part.events, part.start, stop))
            rows -= stop - part.start
            room -= size
            self._queue.popleft()
            if stop < part.stop:
                rest = Part(part.owner, part.texts, part.events, stop, part.stop)
                self._queue.appendleft((rest, deadline))
                break
        batch = Batch(parts)
        self._queued_rows -= len(batch)
        self._queued_bytes -= batch.size
        self._flying_rows += len(batch)
        self._flying_bytes += batch.size
        return batch, math.inf

    async def _run(self, first: int, batch: Batch[Ticket]) -> None:
        error: Exception | None = None
        try:
            self._fill(first, batch, await self._exchange.score(batch))
        except Abandoned:
            pass
        except asyncio.CancelledError:
            if not self._closed and self._failed is None:
                error = _cancelled()
        except Exception as defect:  # whatever it is belongs to the thread that waits
            error = defect
        finally:
            self._tasks.pop(first, None)
            with self._lock:
                self._flying_rows -= len(batch)
                self._flying_bytes -= batch.size
        if error is not None:
            self._give_up(error)
        elif self._failed is not None:
            self._settle()
        elif not self._closed:
            self._pump()
        self._progress()

    def _fill(self, first: int, batch: Batch[Ticket], outcome: Outcome) -> None:
        """Give each ticket its results."""
        start = 0
        known = len(outcome.column)
        for part in batch.parts:
            for row, failure in outcome.causes:
                if start <= row < start + part.stop - part.start:
                    part.owner.blame(part.start + row - start, failure)
            count = min(part.stop - part.start, known - start)
            if count > 0:
                decided = outcome.decided
                if decided is not None:
                    decided = decided[start : start + count]
                for row, letter in outcome.rejected:
                    if start <= row < start + count:
                        part.owner.reject(part.start + row - start, letter)
                piece = outcome.column.slice(start, count)
                part.owner.fill(part.start, piece, decided, outcome.drops)
                if part.owner.done:
                    with self._lock:
                        self._open.pop(part.owner.first, None)
            start += part.stop - part.start
        if outcome.failed is not None:
            row, error = outcome.failed
            self._fail(first + row, error)

    def _fail(self, number: int, error: FunctionError) -> None:
        """Stop at a row: later rows are given up, earlier ones may still fail themselves."""
        with self._lock:
            if self._failed is None or number < self._failed[0]:
                self._failed = (number, error)
            self._queue.clear()
            self._queued_rows = self._queued_bytes = 0
        self._exchange.abandoned = True
        for first, task in list(self._tasks.items()):
            if first > number or task in self._exchange.pausing:
                task.cancel()

    def _settle(self) -> None:
        """Fail the tickets once no earlier row is in flight: the first bad row is the one told."""
        assert self._failed is not None
        number, error = self._failed
        if any(first < number for first in self._tasks):
            return
        with self._lock:
            owner = next(
                (t for t in self._open.values() if t.first <= number < t.first + t.count), None
            )
        if owner is not None:
            at = FunctionError(
                error.message, hint=error.hint, row=number - owner.first, event=error.event
            )
            owner.fail(at)
        self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            self._error = self._error or error
            tickets = list(self._open.values())
            self._open.clear()
            self._queue.clear()
            self._queued_rows = self._queued_bytes = 0
        for ticket in tickets:
            ticket.fail(error)
        self._progress()

    def _progress(self) -> None:
        self._happened.set()
        if self.on_progress is not None:
            self.on_progress()

    async def _shut(self) -> None:
        self._set_timer(math.inf)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._transport.close()


def asyncio_time(loop: ScoringLoop) -> float:
    """Return the time of the loop's clock, as its timers use it."""
    return loop.start().time()


def _cancelled() -> FunctionError:
    return FunctionError("the scoring call was cancelled")
