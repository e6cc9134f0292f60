"""Counters of a scoring function, with Azure Stream Analytics' meaning."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class ScoringStats:
    """What a scorer did so far. Written by one thread; others may read.

    Attributes:
        requests: attempts, retries included ("Function Requests").
        events: rows scored or decided about by `on_error` ("Function Events").
        failed_requests: attempts that did not give a usable answer ("Failed Function Requests").
        rejected_events: rows that `on_error` decided about.
        retries: further attempts, by status, "connection" or "timeout".
        latency_sum, latency_max: seconds from sending to the whole answer.
        in_flight, max_in_flight: requests at work now, and at most.
        cached_events: rows answered from the cache; they are no `events`.
        breaker_openings: times that the circuit breaker opened.
    """

    requests: int = 0
    events: int = 0
    failed_requests: int = 0
    rejected_events: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    latency_sum: float = 0.0
    latency_max: float = 0.0
    in_flight: int = 0
    max_in_flight: int = 0
    cached_events: int = 0
    breaker_openings: int = 0

    def sent(self) -> None:
        """Count an attempt that starts."""
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def ended(self, seconds: float, good: bool) -> None:
        """Count an attempt that ended."""
        self.in_flight -= 1
        self.latency_sum += seconds
        self.latency_max = max(self.latency_max, seconds)
        self.failed_requests += not good

    def add(self, other: ScoringStats) -> None:
        """Add the counters of another scorer."""
        self.requests += other.requests
        self.events += other.events
        self.failed_requests += other.failed_requests
        self.rejected_events += other.rejected_events
        self.retries.update(other.retries)
        self.latency_sum += other.latency_sum
        self.latency_max = max(self.latency_max, other.latency_max)
        self.in_flight += other.in_flight
        self.max_in_flight += other.max_in_flight
        self.cached_events += other.cached_events
        self.breaker_openings += other.breaker_openings
