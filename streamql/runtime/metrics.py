"""Figures of a running job, as values that any exporter can put into its own form."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Labels: TypeAlias = tuple[tuple[str, str], ...]

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the buckets for durations."""


@dataclass
class Histogram:
    """Counts values by size. Written by one thread; others may read.

    Attributes:
        bounds: the greatest value of each bucket, rising; one bucket more takes the rest.
        counts: how many values each bucket has got.
        total: the sum of all values.
    """

    bounds: Sequence[float] = SECONDS
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Value: TypeAlias = float | Histogram
Values: TypeAlias = Mapping[Labels, Value]


@dataclass(frozen=True)
class Metric:
    """One figure with its values, one for each set of labels.

    Attributes:
        name: in lower case with underscores and the unit at its end; counters end in `_total`.
        kind: a counter never falls, a gauge may.
        documentation: what it counts, with Azure's name for it where there is one.
    """

    name: str
    kind: Kind
    documentation: str
    values: Values


class Collector(Protocol):
    """Whatever has figures to show. Asked from any thread, at any time of a job."""

    def __call__(self) -> Iterable[Metric]:
        """Return the figures as they are now."""


def labelled(**labels: str) -> Labels:
    """Return labels as the key of a value."""
    return tuple(labels.items())


def info(version: str) -> Metric:
    """Return the figure that tells the version at work."""
    values: Values = {labelled(version=version): 1.0}
    return Metric("streamql_info", "gauge", "The version at work.", values)
