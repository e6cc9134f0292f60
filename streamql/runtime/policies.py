"""Time policies: what is too early, too late or too far out of order. Pure arithmetic on ticks.

Language 15: e is the event's time, a its arrival, L the late-arrival tolerance, O the out-of-order
tolerance. In the order of arrival, an event more than 5 minutes early is dropped; one more than L
late is moved to a - L (or dropped); one behind the watermark, which is the largest event time so
far less O, is moved to the watermark (or dropped). Moved times count for the watermark, dropped
events do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instants import TICKS_PER_SECOND

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

BEGIN = -(2**63)
"""Before all times: the watermark of an input of which nothing is known."""
END = 2**63 - 1
"""After all times: the watermark of an input that has ended."""
EARLY_LIMIT = 5 * 60 * TICKS_PER_SECOND


@dataclass(frozen=True)
class TimePolicy:
    """The tolerances of a job, in ticks, and what happens to events beyond them.

    `late` is None where arrival does not matter.
    """

    late: int | None
    order: int
    drop: bool


@dataclass
class Misfits:
    """How many events one rule met, and by how many ticks the worst of them broke it."""

    count: int = 0
    worst: int = 0

    def add(self, distances: Ints) -> None:
        """Count events by how far each is beyond the tolerance."""
        if len(distances):
            self.count += len(distances)
            self.worst = max(self.worst, int(distances.max()))


@dataclass
class TimeCounts:
    """Events of one input that met a time policy.

    `judged` of them were given a time, and `used` of these went on.
    """

    early: Misfits
    late: Misfits
    disordered: Misfits
    policy: TimePolicy | None = None
    judged: int = 0
    used: int = 0

    @classmethod
    def none(cls) -> TimeCounts:
        """Return counts of zero."""
        return cls(Misfits(), Misfits(), Misfits())


def judge_arrival(
    times: Ints, arrivals: Ints, late: int, drop: bool, counts: TimeCounts
) -> tuple[Ints, Mask]:
    """Apply the early limit and the late-arrival tolerance; return times, and which rows stay."""
    keep = times <= arrivals + EARLY_LIMIT
    counts.early.add((times - arrivals)[~keep] - EARLY_LIMIT)
    oldest = arrivals - late
    too_late = times < oldest
    counts.late.add((oldest - times)[too_late])
    if drop:
        keep &= ~too_late
        return times, keep
    return np.maximum(times, oldest), keep


def judge_order(
    times: Ints, newest: Ints, order: int, drop: bool, counts: TimeCounts
) -> tuple[Ints, Mask]:
    """Apply the out-of-order tolerance; `newest` is the largest time up to each event."""
    watermarks = np.where(newest < BEGIN + order, BEGIN, newest - order)
    behind = times < watermarks
    counts.disordered.add((watermarks - times)[behind])
    if drop:
        return times, ~behind
    return np.maximum(times, watermarks), np.ones(len(times), bool)


def newest_by_key(times: Ints, codes: Ints, known: dict[int, int]) -> Ints:
    """Return the largest time so far of each event's own key, and remember it in `known`.

    Ranks instead of times keep the running maximum of all keys in one array.
    """
    keys = np.unique(codes)
    before = np.array([known.get(int(k), BEGIN) for k in keys], np.int64)
    all_codes = np.concatenate([keys, codes])
    all_times = np.concatenate([before, times])
    instants, ranks = np.unique(all_times, return_inverse=True)
    by_key = np.argsort(all_codes, kind="stable")
    group = np.searchsorted(keys, all_codes[by_key])
    running = np.maximum.accumulate(group * len(instants) + ranks[by_key])
    newest = np.empty(len(all_times), np.int64)
    newest[by_key] = instants[running - group * len(instants)]
    last = np.searchsorted(group, np.arange(len(keys)), "right") - 1
    ends = instants[running[last] - np.arange(len(keys)) * len(instants)]
    known.update(zip(keys.tolist(), ends.tolist(), strict=True))
    return newest[len(keys) :]
