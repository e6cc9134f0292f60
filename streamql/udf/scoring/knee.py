"""Which of the measured settings to take, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .profiler import Point, Profile

ENOUGH = 0.9
"""The share of the most rows per second that is enough: the rest costs too much latency."""
BUSY = 0.85
"""The share of a core from which on this process is what limits."""


def knee(points: Sequence[Point]) -> Point | None:
    """Return the smallest settings that reach 90 % of the most rows per second.

    Only settings count with which nothing failed. None when there are none.
    """
    good = [point for point in points if point.good]
    best = max((point.rate for point in good), default=0.0)
    return next((point for point in good if point.rate >= ENOUGH * best), None)


def soonest(points: Sequence[Point]) -> Point | None:
    """Return the settings with the most rows per second for their latency.

    Beyond them the latency grows faster than the rows per second: where answers have to come soon,
    that is the place to stop.
    """
    good = [point for point in points if point.good]
    return max(good, key=lambda point: point.rate / point.median, default=None)


@dataclass(frozen=True)
class Advice:
    """The settings to take.

    Attributes:
        at: what was measured with them.
        sooner: the batch for shorter latencies, where it is another one.
        client_bound: whether this process was the limit, so that a model may be able to do more.
    """

    at: Point
    sooner: Point | None
    client_bound: bool

    def expected(self, partitions: int) -> float:
        """Return events per second: batch * partitions * parallel / latency."""
        return self.at.batch * partitions * self.at.parallel / self.at.median


def advice(profile: Profile, here: bool = False) -> Advice | None:
    """Return what a profile tells to do; None when nothing was answered.

    `here`: the model is in this process, which is busy with it then.
    """
    batch = knee(profile.sizes)
    at = knee(profile.numbers) or batch
    if batch is None or at is None:
        return None
    sooner = soonest(profile.sizes)
    if sooner is not None and sooner.batch >= batch.batch:
        sooner = None
    measured = [point for point in (*profile.sizes, *profile.numbers) if point.good]
    fastest = max(measured, key=lambda point: point.rate)
    return Advice(at, sooner, not here and fastest.cpu >= BUSY)
