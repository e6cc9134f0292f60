"""What a request has to pass before it is sent: the rate limit and the circuit breaker.

Both protect the server, so that all scorers of a function share them. They live in the loop; the
rules themselves know no clock but the time they are told.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from ...network.retry import Retry
from .failure import Clock, Failure
from .options import Rate
from .settings import ScoringSettings

_WINDOW = 20
"""The last requests that the breaker looks at."""
_ENOUGH = 10
"""The fewest that it opens for."""


class RateLimit:
    """Spreads requests evenly: a request waits until those before it are paid for."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._free = -math.inf

    def reserve(self, now: float, rows: int) -> float:
        """Return how many seconds a request of so many rows has to wait; it is counted."""
        start = max(now, self._free)
        self._free = start + (rows if self._rate.rows else 1) / self._rate.per_second
        return start - now


class Breaker:
    """Closed as long as the server answers, open when it failed too often, and probing after.

    Attributes:
        state: `closed`, `open` or `probing`.
    """

    def __init__(self, share: float, pause: float) -> None:
        self.state = "closed"
        self._share = share
        self._pause = pause
        self._until = 0.0
        self._ended: deque[bool] = deque(maxlen=_WINDOW)

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be sent; infinity: until the probe has ended.

        The first that may be sent after a pause is the probe.
        """
        if self.state == "closed":
            return 0.0
        if self.state == "probing":
            return math.inf
        if now < self._until:
            return self._until - now
        self.state = "probing"
        return 0.0

    def ended(self, now: float, good: bool | None, probe: bool) -> bool:
        """Take note of a request that ended; None: given up. Return whether this opens it."""
        if probe:
            self.state = "closed" if good else "open"
            self._until = now + (self._pause if good is False else 0.0)
            self._ended.clear()
            return good is False
        if self.state != "closed" or good is None:
            return False
        self._ended.append(good)
        failed = self._ended.count(False)
        if len(self._ended) < _ENOUGH or failed < self._share * len(self._ended):
            return False
        self.state = "open"
        self._until = now + self._pause
        return True


class Door:
    """Lets requests out one after the other, as the rate limit and the breaker allow."""

    def __init__(
        self, settings: ScoringSettings, warn: Callable[[str], None], name: str, clock: Clock
    ) -> None:
        """`name` is what warnings call the function and its server."""
        rate, share = settings.rate_limit, settings.breaker
        self._rate = None if rate is None else RateLimit(rate)
        self._breaker = None if share is None else Breaker(share, settings.breaker_pause)
        self._pause = settings.breaker_pause
        self._warn = warn
        self._name = name
        self._clock = clock
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def state(self) -> str:
        """Return the state of the breaker; `off` without one."""
        return "off" if self._breaker is None else self._breaker.state

    async def enter(self, rows: int, end: float) -> bool:
        """Wait until a request may be sent; return whether it is the breaker's probe.

        Raises Failure when that is not before `end`.
        """
        if self._rate is not None:
            await self._sleep(self._rate.reserve(self._clock.now(), rows), end, "the rate limit")
        if self._breaker is None:
            return False
        while (wait := self._breaker.wait(self._clock.now())) > 0:
            if wait < math.inf:
                await self._sleep(wait, end, "the circuit breaker")
                continue
            ended = asyncio.get_running_loop().create_future()
            self._waiting.append(ended)
            left = None if end == math.inf else max(0.0, end - self._clock.now())
            done, _ = await asyncio.wait((ended,), timeout=left)
            if not done:
                raise _late("the circuit breaker")
        return self._breaker.state == "probing"

    def left(self, good: bool | None, probe: bool) -> bool:
        """Take note of how a request ended (None: given up); return whether that opens the circuit.

        Good is every answer that shows a server at work, a refused row as well.
        """
        if self._breaker is None:
            return False
        opened = self._breaker.ended(self._clock.now(), good, probe)
        if opened and not probe:
            self._warn(
                f"{self._name} failed too many of its requests; "
                f"it is asked again after {self._pause:,.3g} s"
            )
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        return opened

    async def _sleep(self, seconds: float, end: float, why: str) -> None:
        if seconds <= 0:
            return
        if self._clock.now() + seconds >= end:
            raise _late(why)
        await self._clock.sleep(seconds)


def _late(why: str) -> Failure:
    failure = Failure(f"was not asked: {why} left no time for it", Retry.NEVER, label="door")
    failure.spent = True
    return failure
