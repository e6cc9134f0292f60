"""Finds the batch size and the number of parallel requests with which a model does most.

A state machine without a clock, a network or chance of its own: whoever sends requests tells what
became of each, and reads `batch` and `parallel`.

- First the batch: it doubles as long as the rows per second of one connection grow by 5 % each
  time. If they did not grow at all, it is halved as long as they stay within 5 % (a smaller batch
  is answered sooner). With a latency of c + k * rows that ends above 90 % of what is possible.
- Then the requests in flight: doubled until a sign of too many, from there one more per round trip
  up to the last number that was too many. Signs are 408, 429, 503, a timeout, and a latency of 1.5
  times the shortest. A number that was fine and is refused later is halved.
- Then both are held. After 30 s, 60 s, ... 10 minutes (as long as that leads nowhere) a larger
  batch and one request more are tried, so that a server that grew is noticed, and one that refuses
  is seldom asked too much.

Settings are judged by a round: as many answers as there are requests in flight, to requests sent
since the settings changed. What is answered to earlier ones is not looked at, so that 20 refusals
at once count as one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from statistics import median

_GAIN = 1.05
_CROWDED = 1.5
"""Latency, in multiples of the shortest, that means too many requests at a time."""
_SLOW = 2.0
"""The same for a number of requests that was fine so far."""
_HELPS = 0.9
"""Latency with fewer requests, in multiples of the one before, that shows they were the reason."""
_FEWER = 0.7
_SAMPLES = 5
_FIRST_BATCH, _FIRST_PARALLEL = 1_000, 4
_SOON, _LATE = 30.0, 600.0
_OVERLOAD = frozenset({"408", "429", "503", "timeout"})
_TOO_LONG = frozenset({"408", "413", "timeout"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The least and the greatest value; they are the same when nothing is to be tuned."""

    low: int
    high: int

    @property
    def fixed(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    def clip(self, value: int) -> int:
        """Return the nearest value within the limits."""
        return max(self.low, min(self.high, value))


@dataclass(frozen=True, slots=True)
class _Round:
    """What was seen with some settings: medians, or the sign that they are too much."""

    batch: int
    parallel: int
    rate: float = 0.0
    latency: float = 0.0
    overload: bool = False
    too_long: bool = False


_Trial = Generator[None, _Round, _Round]


class Tuner:
    """Chooses `batch` (rows per request) and `parallel` (requests in flight).

    Attributes:
        round: counts changes of the settings; a request belongs to the round it was sent in.
        settled: whether the settings are held.
    """

    def __init__(
        self, batch: Limits, parallel: Limits, now: Callable[[], float], patience: float = 100.0
    ) -> None:
        """`now` tells seconds; no batch is tried that might take half of `patience` seconds."""
        self.batch = batch.clip(_FIRST_BATCH)
        self.parallel = parallel.clip(_FIRST_PARALLEL)
        self.round = 0
        self.settled = False
        self._batches, self._parallels = batch, parallel
        self._ceiling = parallel.high
        self._base = math.inf  # the shortest latency with the batch
        self._now = now
        self._patience = patience
        self._seen: list[tuple[float, float]] = []
        self._idle = 0
        self._plan = self._tune()
        next(self._plan)

    @property
    def tunes(self) -> bool:
        """Whether there is anything to choose."""
        return not (self._batches.fixed and self._parallels.fixed)

    # -- what became of requests ------------------------------------------------------------

    def answered(self, number: int, rows: int, seconds: float, full: bool) -> None:
        """A request of round `number` got its answer; `full`: no more rows would have fitted."""
        if number != self.round or not full:
            return
        self._seen.append((rows / max(seconds, 1e-9), seconds))
        if len(self._seen) < max(_SAMPLES, self.parallel):
            return
        rate, latency = (median(values) for values in zip(*self._seen, strict=True))
        limited_by_source = 2 * self._idle > len(self._seen)
        self._seen, self._idle = [], 0
        if not limited_by_source:  # otherwise larger settings cannot show what they do
            self._plan.send(_Round(self.batch, self.parallel, rate, latency))

    def starved(self) -> None:
        """A connection was free, and no full batch was there to send."""
        self._idle += 1

    def refused(self, number: int, label: str) -> None:
        """A request of round `number` failed; `label` is its status, or `timeout`."""
        if number != self.round:
            return
        too_long = label in _TOO_LONG and self.batch > self._batches.low
        overload = label in _OVERLOAD and self.parallel > self._parallels.low
        if too_long or overload:
            self._plan.send(_Round(self.batch, self.parallel, overload=overload, too_long=too_long))

    # -- the plan ---------------------------------------------------------------------------

    def _tune(self) -> Generator[None, _Round, None]:
        if not self._batches.fixed:
            yield from self._climb()
        good = yield from self._measure(self.batch, self.parallel)
        good = yield from self._grow(good, doubling=True)
        self.settled = True
        interval, due = _SOON, self._now() + _SOON
        while True:
            seen = yield from self._measure(good.batch, good.parallel)
            if seen.too_long or seen.overload:
                good = yield from self._back_off(seen)
            elif seen.latency > _SLOW * self._base and good.parallel > self._parallels.low:
                good = yield from self._fewer(seen)
            elif self._now() >= due:
                found = yield from self._further(seen)
                changed = (found.batch, found.parallel) != (good.batch, good.parallel)
                good = found
                interval = _SOON if changed else min(_LATE, 2 * interval)
                due = self._now() + interval

    def _measure(self, batch: int, parallel: int) -> _Trial:
        """Use these settings until a round is over."""
        self._set(batch, parallel)
        seen = yield
        if seen.too_long:
            self._batches = Limits(self._batches.low, self._batches.clip(batch // 2))
        elif not seen.overload:
            self._base = min(self._base, seen.latency)
        return seen

    def _set(self, batch: int, parallel: int) -> None:
        if (batch, parallel) != (self.batch, self.parallel):
            if batch != self.batch:
                self._base = math.inf
            self.batch, self.parallel = batch, parallel
            self.round += 1
            self._seen, self._idle = [], 0

    def _calm(self, batch: int) -> _Trial:
        """Measure a batch size with as many requests as the server takes."""
        while True:
            seen = yield from self._measure(batch, self.parallel)
            if seen.too_long or not seen.overload:
                return seen
            self._ceiling = max(self._parallels.low, seen.parallel - 1)
            self._set(batch, max(self._parallels.low, seen.parallel // 2))

    def _climb(self) -> _Trial:
        """Find the batch size."""
        best = yield from self._calm(self.batch)
        while best.too_long:
            best = yield from self._calm(self._batches.high)
        first = best
        while (larger := self._batches.clip(2 * best.batch)) > best.batch:
            if 4 * best.latency > self._patience:
                break
            trial = yield from self._calm(larger)
            if trial.too_long or trial.rate < _GAIN * best.rate:
                break
            best = trial
        while best.batch <= first.batch and best.batch // 2 >= self._batches.low:
            trial = yield from self._calm(best.batch // 2)
            if trial.too_long or _GAIN * trial.rate < first.rate:
                break
            best = trial
        self._set(best.batch, self.parallel)
        return best

    def _grow(self, good: _Round, doubling: bool = False) -> _Trial:
        """Find the number of requests from one that is fine (or was refused just now)."""
        while good.too_long or good.overload:
            good = yield from self._back_off(good)
        while good.parallel < self._ceiling:
            more = min(self._ceiling, good.parallel * 2 if doubling else good.parallel + 1)
            trial = yield from self._measure(good.batch, more)
            if trial.overload or trial.too_long or trial.latency > _CROWDED * self._base:
                self._ceiling = more - 1
                doubling = False
                continue
            good = trial
        return good

    def _back_off(self, seen: _Round) -> _Trial:
        """Answer a refusal of settings that were fine: half of what was too much."""
        parallel = seen.parallel
        if seen.overload:
            self._ceiling = max(self._parallels.low, parallel - 1)
            parallel = max(self._parallels.low, parallel // 2)
        found = yield from self._measure(self._batches.clip(seen.batch), parallel)
        return (yield from self._grow(found))

    def _fewer(self, slow: _Round) -> _Trial:
        """Answer a latency that has grown: fewer requests, if that makes it shorter."""
        parallel = max(self._parallels.low, int(slow.parallel * _FEWER))
        trial = yield from self._measure(slow.batch, parallel)
        if trial.latency > _HELPS * slow.latency:
            self._base = trial.latency  # the server itself became slower
            return slow
        self._ceiling = slow.parallel - 1
        return (yield from self._grow(trial))

    def _further(self, good: _Round) -> _Trial:
        """Try a larger batch and one request more than what is held."""
        larger = self._batches.clip(2 * good.batch)
        if larger > good.batch and 4 * good.latency < self._patience:
            base = self._base
            trial = yield from self._measure(larger, good.parallel)
            if not (trial.overload or trial.too_long) and trial.rate >= _GAIN * good.rate:
                base *= trial.latency / good.latency
                good = trial
            self._set(good.batch, good.parallel)
            self._base = base
        if good.parallel < self._parallels.high:
            self._ceiling = self._parallels.high
            return (yield from self._grow(good))
        return good
