"""Measures a model with batches of growing size, then with growing numbers of requests at a time.

It stops by itself: where the model refuses, where more brings nothing, and when the time is up.
Time is that of the running loop.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from ...network.retry import Retry
from .failure import Failure, shortened

FEW, MANY = 5, 40
"""The fewest and the most requests with the same settings (at least two for each connection)."""
STEADY = 0.025
"""A median is known once its standard error is below this share of it."""
GAIN = 1.05
"""What more rows, or more requests, have to bring to be worth going on."""
_BUSY = frozenset({"408", "425", "429", "503"})
_BEARABLE = 3
"""Refusals with one request at a time after which the server is left alone."""
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_FOR_BATCHES = 0.6
"""The share of the time that may go by until the batch is known."""
_POINTS = 12
"""A twelfth of the time is the most for one point."""

Send = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Point:
    """What was seen with some settings.

    Attributes:
        latencies: seconds of each request that was answered well.
        busy: seconds that all connections together were at it.
        failures: the requests that failed, by status or reason.
        cause: what the first failure was.
        cpu: the share of a core of this process that it took.
    """

    batch: int
    parallel: int
    latencies: tuple[float, ...]
    busy: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    cause: str = ""
    cpu: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the model took all requests."""
        return bool(self.latencies) and not self.failures

    @property
    def median(self) -> float:
        """The median latency in seconds."""
        return median(self.latencies)

    @property
    def p95(self) -> float:
        """The latency in seconds that 95 % of the requests did not exceed."""
        return sorted(self.latencies)[math.ceil(0.95 * len(self.latencies)) - 1]

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.parallel * self.batch * len(self.latencies) / max(self.busy, 1e-9)


@dataclass
class Profile:
    """What was measured, in its order, and why it went no further.

    Attributes:
        sizes: one request at a time, with growing batches.
        numbers: growing numbers of requests at a time, with the batch that was chosen.
        size_end, number_end: why there are no more.
        most_parallel: the most requests at a time that the model took, where it refused more.
    """

    sizes: list[Point] = field(default_factory=list)
    numbers: list[Point] = field(default_factory=list)
    size_end: str = ""
    number_end: str = ""
    most_parallel: int | None = None


class NothingAnswered(Exception):
    """The model did not answer the very first rows; the failure says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


@dataclass(frozen=True)
class Bounds:
    """How far to go: rows in a request, requests at a time, seconds for everything.

    `fitting` is how many rows of the sample one request can hold.
    """

    batch: int = 50_000
    parallel: int = 64
    seconds: float = 60.0
    fitting: int = 1_000_000


class Profiler:
    """Sends batches of given sizes with `send`, which raises Failure; `heard` gets each point."""

    def __init__(self, send: Send, bounds: Bounds, heard: Callable[[Point], None]) -> None:
        self._send = send
        self._bounds = bounds
        self._heard = heard
        self._end = math.inf
        self._began = 0.0

    async def run(self, choose: Callable[[list[Point]], Point | None]) -> Profile:
        """Return the profile; `choose` says which batch to go on with. Raises NothingAnswered."""
        self._began = _now()
        self._end = self._began + self._bounds.seconds
        profile = Profile()
        await self._first()
        await self._grow_batch(profile)
        chosen = choose(profile.sizes)
        if chosen is None:
            profile.number_end = "no batch was answered"
        elif self._bounds.parallel == 1:
            profile.number_end = "no more than 1 at a time was tried"
        else:
            await self._grow_parallel(profile, chosen)
        return profile

    async def _first(self) -> None:
        """Have the model answer once: what it loads with its first rows is not measured."""
        count = min(self._bounds.batch, self._bounds.fitting, 50)
        for attempt in range(1, _BEARABLE + 1):
            try:
                await self._send(count)
            except Failure as failure:
                if failure.retry is Retry.NEVER or attempt == _BEARABLE:
                    raise NothingAnswered(failure) from None
                await self._rest(failure)
                if _now() >= self._end:
                    raise NothingAnswered(failure) from None
            else:
                return

    async def _grow_batch(self, profile: Profile) -> None:
        end = self._began + _FOR_BATCHES * self._bounds.seconds
        most = min(self._bounds.batch, self._bounds.fitting)
        best, without_gain = 0.0, 0
        for size in sizes(most):
            if profile.sizes and _now() >= end:
                profile.size_end = "the time for batches is up"
                return
            point = await self._measured(size, 1, end)
            self._note(point, profile.sizes)
            if not point.good:
                if point.cause:
                    profile.size_end = f"{size:,} rows: {shortened(point.cause, 200)}"
                else:
                    profile.size_end = "the time for batches is up"
                return
            without_gain = 0 if point.rate >= GAIN * best else without_gain + 1
            best = max(best, point.rate)
            if without_gain == 2:
                profile.size_end = "larger batches bring no more rows per second"
                return
        profile.size_end = f"no more than {most:,} rows were tried"
        if most < self._bounds.batch:
            profile.size_end = f"no more than {most:,} rows fit into a request"

    async def _grow_parallel(self, profile: Profile, chosen: Point) -> None:
        number, best = 1, 0.0
        while True:
            if profile.numbers and _now() >= self._end:
                profile.number_end = "the time is up"
                return
            point = await self._measured(chosen.batch, number, self._end)
            self._note(point, profile.numbers)
            if not point.good:
                if point.cause:
                    profile.most_parallel = max(
                        (p.parallel for p in profile.numbers if p.good), default=None
                    )
                    profile.number_end = f"{number} at a time: {shortened(point.cause, 200)}"
                else:
                    profile.number_end = "the time is up"
                return
            if number > 1 and point.rate < GAIN * best:
                profile.number_end = "more requests at a time bring no more rows per second"
                return
            best = max(best, point.rate)
            if number == self._bounds.parallel:
                profile.number_end = f"no more than {number} at a time were tried"
                return
            number = min(2 * number, self._bounds.parallel)

    def _note(self, point: Point, points: list[Point]) -> None:
        points.append(point)
        self._heard(point)

    async def _measured(self, batch: int, parallel: int, end: float) -> Point:
        """Keep so many requests at work until their median is known."""
        end = min(end, _now() + self._bounds.seconds / _POINTS)
        visit = _Visit(self._send, batch, parallel, end, self._end)
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.gather(*(visit.work() for _ in range(parallel)))
        share = (time.process_time() - cpu) / max(time.monotonic() - began, 1e-9)
        if visit.failed is not None and visit.failed.label in _BUSY and parallel > 1:
            await self._rest(visit.failed)  # what comes next is not to meet what piled up
        return Point(
            batch, parallel, tuple(visit.latencies), visit.busy, visit.failures, visit.cause, share
        )

    async def _rest(self, failure: Failure) -> None:
        await asyncio.sleep(min(_rest(failure), max(0.0, self._end - _now())))


class _Visit:
    """Requests with the same settings, over several connections."""

    def __init__(self, send: Send, batch: int, parallel: int, end: float, last: float) -> None:
        """`end` is when to be content with few requests, `last` when to give up."""
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self.failed: Failure | None = None
        self.cause = ""
        self.busy = 0.0
        self._send = send
        self._batch = batch
        self._parallel = parallel
        self._end = end
        self._last = last
        self._over = False

    async def work(self) -> None:
        """Send one request after the other."""
        ramping = self._parallel > 1
        while not self._over:
            began = _now()
            try:
                async with asyncio.timeout_at(max(self._last, began + 0.001)):
                    await self._send(self._batch)
            except Failure as failure:
                pause = self._failed(failure)
                if self._over:
                    return
                await asyncio.sleep(pause)
            except TimeoutError:
                self._over = True  # the whole profile's time, not the model's
            else:
                took = _now() - began
                if ramping and took < self._end - _now():
                    ramping = False  # the first of a connection meets fewer others than the rest
                    continue
                self.latencies.append(took)
                self.busy += took
                self._over |= self._enough()

    def _failed(self, failure: Failure) -> float:
        """Count a failure; return for how many seconds to leave the model alone."""
        self.failures[failure.label or "error"] += 1
        if self.failed is None:
            self.failed, self.cause = failure, failure.cause
            if failure.body:
                self.cause += f": {' '.join(failure.body.split())}"
        # several connections are not to ask again what one of them was refused
        tired = sum(self.failures.values()) >= _BEARABLE or self._parallel > 1
        hopeless = failure.retry is Retry.NEVER or failure.label == "timeout"
        if hopeless or tired or _now() >= self._end:
            self._over = True
        return min(_rest(failure), max(0.0, self._last - _now()))

    def _enough(self) -> bool:
        count = len(self.latencies)
        if _now() >= self._end or count >= max(MANY, 2 * self._parallel):
            return True
        return count >= max(FEW, 2 * self._parallel) and steady(self.latencies)


def sizes(most: int) -> Iterator[int]:
    """Yield 50, 100, 200, 500, 1000, ... and `most` at the end."""
    size, steps = 50, (2, 2, 2.5)
    for number in range(100):
        if size >= most:
            break
        yield size
        size = int(size * steps[number % 3])
    yield most


def steady(values: list[float]) -> bool:
    """Return whether the median is known: its standard error, by the deviations from it."""
    middle = median(values)
    deviation = 1.4826 * median(abs(value - middle) for value in values)
    return 1.2533 * deviation / math.sqrt(len(values)) <= STEADY * middle


def _rest(failure: Failure) -> float:
    return min(_LONGEST_PAUSE, _PAUSE if failure.wait is None else failure.wait)


def _now() -> float:
    return asyncio.get_running_loop().time()
