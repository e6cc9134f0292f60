"""Counters of a scoring function, with Azure Stream Analytics' meaning."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

_STEPS = (*range(100, 200, 5), *range(200, 500, 10), *range(500, 1000, 25))
LATENCIES = tuple(step * 10.0**power for power in range(-6, 1) for step in _STEPS)
"""Bounds of latencies in seconds, from 0.1 ms to 1000 s, each at most 5 % above the one before."""
_MANY = 32  # values for which an array is worth it
ROWS = tuple(float(step * 10**power) for power in range(6) for step in (1, 2, 5))
"""Bounds of the rows of a request."""


@dataclass
class Spread:
    """Counts values by size, in fixed buckets, so that spreads can be added.

    Attributes:
        bounds: the greatest value of each bucket, rising; one bucket more takes the rest.
        counts: how many values each bucket has got.
        total: the sum of all values.
    """

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: Sequence[float]) -> None:
        """Count many values."""
        if len(values) < _MANY:
            for value in values:
                self.observe(value)
            return
        places = np.searchsorted(self.bounds, values)
        for place, count in enumerate(np.bincount(places, minlength=len(self.counts)).tolist()):
            self.counts[place] += count
        self.total += sum(values)

    def at(self, share: float) -> float:
        """Return the value below which this share of all values lies, to within a bucket."""
        wanted, seen, low = share * sum(self.counts), 0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and seen + count >= wanted:
                return low + (bound - low) * (wanted - seen) / count
            seen, low = seen + count, bound
        return low

    def plus(self, other: Spread, sign: int = 1) -> Spread:
        """Return both together, or with `sign` -1 what this has more than an earlier one."""
        pairs = zip(self.counts, other.counts, strict=True)
        counts = [mine + sign * its for mine, its in pairs]
        return Spread(self.bounds, counts, self.total + sign * other.total)


@dataclass
class ScoringStats:
    """What a scorer did so far. Written by one thread; others may read.

    Attributes:
        requests: attempts, retries included ("Function Requests").
        events: rows scored or decided about by `on_error` ("Function Events").
        failed_requests: attempts that did not give a usable answer ("Failed Function Requests").
        rejected_events: rows that `on_error` decided about.
        retries: further attempts, by status, "connection" or "timeout".
        latency: seconds from sending to the whole answer.
        latency_max: the longest of them.
        request_rows: rows of each attempt.
        in_flight, max_in_flight: requests at work now, and at most.
        cached_events: rows answered from the cache; they are no `events`.
        breaker_openings: times that the circuit breaker opened.
        breaker: its state: off, closed, open or probing.
        batch, parallel: rows in a request, and requests in flight, at most, as they are set or
            tuned now; `parallel` of all partitions together. 0 where nothing is parallel.
        tuned: whether these tune themselves.
        on_request: is told of each attempt that ended: its rows, seconds, status or what went
            wrong, and its number, 1 for the first with these rows.
    """

    requests: int = 0
    events: int = 0
    failed_requests: int = 0
    rejected_events: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    latency: Spread = field(default_factory=lambda: Spread(LATENCIES))
    latency_max: float = 0.0
    request_rows: Spread = field(default_factory=lambda: Spread(ROWS))
    in_flight: int = 0
    max_in_flight: int = 0
    cached_events: int = 0
    breaker_openings: int = 0
    breaker: str = "off"
    batch: int = 0
    parallel: int = 0
    tuned: bool = False

    @property
    def latency_sum(self) -> float:
        """Seconds of all attempts."""
        return self.latency.total

    on_request: Callable[[int, float, str, int], None] | None = None

    def sent(self, rows: int) -> None:
        """Count an attempt that starts."""
        self.requests += 1
        self.request_rows.observe(rows)
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def ended(self, seconds: float, good: bool) -> None:
        """Count an attempt that ended."""
        self.in_flight -= 1
        self.latency.observe(seconds)
        self.latency_max = max(self.latency_max, seconds)
        self.failed_requests += not good

    def answered(self, rows: Sequence[int], seconds: Sequence[float]) -> None:
        """Count attempts that were made one after the other, all of them with good answers."""
        self.requests += len(rows)
        self.events += sum(rows)
        self.request_rows.observe_all(rows)
        self.max_in_flight = max(self.max_in_flight, 1)
        self.latency.observe_all(seconds)
        self.latency_max = max(self.latency_max, *seconds)
        if self.on_request is not None:
            for count, took in zip(rows, seconds, strict=True):
                self.on_request(count, took, "200", 1)

    def add(self, other: ScoringStats) -> None:
        """Add the counters of another scorer."""
        longest, batch = max(self.latency_max, other.latency_max), max(self.batch, other.batch)
        self._count(other, 1)
        self.latency_max, self.batch = longest, batch
        self.tuned |= other.tuned
        if other.breaker != "off":
            self.breaker = other.breaker

    def since(self, before: ScoringStats) -> ScoringStats:
        """Return what was counted after `before`; what holds now (and the greatest) stays."""
        new = ScoringStats()
        new.add(self)
        new._count(before, -1)
        new.in_flight, new.max_in_flight = self.in_flight, self.max_in_flight
        new.batch, new.parallel = self.batch, self.parallel
        return new

    def _count(self, other: ScoringStats, sign: int) -> None:
        for one in fields(self):
            mine, its = getattr(self, one.name), getattr(other, one.name)
            if isinstance(mine, Spread):
                setattr(self, one.name, mine.plus(its, sign))
            elif isinstance(mine, Counter):
                both = Counter({key: mine[key] + sign * its[key] for key in mine.keys() | its})
                setattr(self, one.name, +both)
            elif isinstance(mine, int) and not isinstance(mine, bool):
                setattr(self, one.name, mine + sign * its)

    def sentence(self, name: str) -> str:
        """Return in one line how a function was asked, and how its model answered."""
        rows = self.request_rows.total / max(1, self.requests)
        parts = [f"{self.requests:,} request{'' if self.requests == 1 else 's'}"]
        parts[0] += f" of {rows:,.3g} rows" if rows < 100 else f" of {rows:,.0f} rows"
        median, long = (_spoken(self.latency.at(share)) for share in (0.5, 0.95))
        parts.append(f"median {median}, 95 % {long}")
        if self.max_in_flight > 1:
            parts.append(f"{self.max_in_flight:,} at a time")
        if self.tuned:
            parts.append(f"tuned to {self.batch:,} rows and {self.parallel:,} at a time")
        if again := sum(self.retries.values()):
            why = ", ".join(f"{status}: {n:,}" for status, n in self.retries.most_common())
            parts.append(f"{again:,} sent again ({why})")
        if self.failed_requests:
            parts.append(f"{self.failed_requests:,} failed")
        if self.cached_events:
            parts.append(f"{self.cached_events:,} rows from the cache")
        if self.breaker_openings:
            parts.append(f"breaker opened {self.breaker_openings:,} times, {self.breaker} now")
        return f"udf.{name}: " + ", ".join(parts)


def _spoken(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
    return f"{seconds:.1f} s"
