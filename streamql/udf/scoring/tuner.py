"""Finds the batch size and the number of parallel requests with which a model does most.

A state machine: it has no clock, no network and no chance in it. Whoever sends requests tells it
what became of each and reads `batch` and `parallel`.

- First the batch: it doubles as long as the rows per second of one connection grow by 5 %, then
  halves as long as they stay within 5 % of the best (a smaller batch answers sooner).
- Then the requests in flight: doubled until the first sign of too many, then one more per round
  trip up to the last number that was too many. Signs are 408, 429, 503, a timeout, and a latency of
  1.5 times the shortest. A number that was fine before and is refused now is halved.
- Then both are held. Now and then one of them is tried one step further, after 30 s, 60 s, ... 10
  minutes as long as that leads nowhere, so that a server that grew is noticed and one that refuses
  is seldom asked too much.

Settings change only when a round of requests sent with the present ones is answered; what is
answered for earlier settings is not looked at, so that 20 refusals at once count as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import median

_GAIN = 1.05
"""Growth of the rows per second that makes a larger batch worth it."""
_CROWDED = 1.5
"""Latency, in multiples of the shortest, that means too many requests at a time."""
_SLOW = 2.0
"""Latency, likewise, at which a number of requests that was fine is lowered."""
_HELPS = 0.9
"""Latency after that, in multiples of the one before, which shows that it was the reason."""
_SAMPLES = 5
_FIRST_BATCH, _FIRST_PARALLEL = 1_000, 4
_SOON, _LATE = 30.0, 600.0
OVERLOAD = frozenset({"408", "429", "503", "timeout"})
_TOO_LONG = frozenset({"408", "413", "timeout"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The least and the greatest value; the same for both when nothing is to be tuned."""

    low: int
    high: int

    @property
    def fixed(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    def clip(self, value: int) -> int:
        """Return the nearest value within the limits."""
        return max(self.low, min(self.high, value))


class _Step(Enum):
    """What the present settings are tried for."""

    LARGER = 1
    SMALLER = 2
    MORE = 3
    FEWER = 4
    HOLD = 5


class Tuner:
    """Chooses `batch` (rows per request) and `parallel` (requests in flight).

    Attributes:
        round: counts changes of the settings; a request belongs to the round it was sent in.
    """

    def __init__(
        self, batch: Limits, parallel: Limits, now: Callable[[], float], patience: float = 100.0
    ) -> None:
        """`now` tells seconds; no batch is tried that might take half of `patience` seconds."""
        self.batch = batch.clip(_FIRST_BATCH)
        self.parallel = parallel.clip(_FIRST_PARALLEL)
        self.round = 0
        self._batches, self._parallels = batch, parallel
        self._now = now
        self._patience = patience
        self._step = _Step.HOLD if batch.fixed else _Step.LARGER
        # the batch size to return to, its rows per second, and the most rows per second of any
        self._good_batch, self._rate, self._peak = self.batch, 0.0, 0.0
        self._good_parallel = self.parallel
        self._base = 0.0  # the shortest latency with this batch
        self._before = 0.0  # the latency before FEWER
        self._ceiling = parallel.high
        self._doubling = True
        self._interval, self._next, self._probe = _SOON, 0.0, 0
        self._settle()
        if batch.fixed and not parallel.fixed:
            self._step = _Step.MORE
        self._clear()

    @property
    def settled(self) -> bool:
        """Whether the settings are those that are held."""
        return self._step is _Step.HOLD

    def answered(self, number: int, rows: int, seconds: float, full: bool) -> None:
        """A request of round `number` got its answer; `full`: no more rows would have fitted."""
        if number != self.round or not full:
            return
        self._seen.append((rows / max(seconds, 1e-9), seconds))
        if len(self._seen) < max(_SAMPLES, self.parallel):
            return
        rate, latency = (median(sample) for sample in zip(*self._seen, strict=True))
        idle = 2 * self._idle > len(self._seen)
        self._clear()
        if not idle:  # otherwise the source is what limits: nothing can be learned
            self._judge(rate, latency)

    def starved(self) -> None:
        """A connection was free, and no full batch was there to send."""
        self._idle += 1

    def refused(self, number: int, label: str) -> None:
        """A request of round `number` failed; `label` is its status, or `timeout`."""
        if number != self.round:
            return
        if label in _TOO_LONG and not self._batches.fixed and self.batch > self._batches.low:
            half = self._batches.clip(self.batch // 2)
            self._batches = Limits(self._batches.low, max(half, self._batches.low))
            self._good_batch = half
            self._try_batch(half, _Step.HOLD)
            self._base = self._rate = self._peak = 0.0
        elif label in OVERLOAD and self.parallel > self._parallels.low:
            self._crowded(self.parallel)

    # -- the rounds -------------------------------------------------------------------------

    def _judge(self, rate: float, latency: float) -> None:
        match self._step:
            case _Step.LARGER | _Step.SMALLER:
                self._judge_batch(rate, latency)
            case _Step.MORE:
                self._judge_more(latency)
            case _Step.FEWER:
                self._judge_fewer(latency)
            case _Step.HOLD:
                self._hold(rate, latency)

    def _judge_batch(self, rate: float, latency: float) -> None:
        if self.batch == self._good_batch:  # where it starts
            better = True
        elif self._step is _Step.LARGER:
            better = rate >= self._rate * _GAIN
        else:
            better = rate * _GAIN >= self._peak
        if better:
            if self.batch != self._good_batch:
                self._interval = _SOON
            self._good_batch, self._rate, self._base = self.batch, rate, latency
        self._peak = max(self._peak, rate)
        if self._step is _Step.LARGER:
            larger = self._batches.clip(2 * self.batch)
            if better and larger > self.batch and 4 * latency < self._patience:
                self._try_batch(larger, _Step.LARGER)
                return
            # only what did not grow at all may be too large
            shrink = self._good_batch // 2 if not self._grew else 0
        else:
            shrink = self._good_batch // 2 if better else 0
        if shrink >= self._batches.low and shrink > 0:
            self._try_batch(shrink, _Step.SMALLER)
        else:
            self._try_batch(self._good_batch, _Step.HOLD)
            self._settle() if self._parallel_done else self._more()
