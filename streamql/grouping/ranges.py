"""Ranges of rows within groups ordered by time: what windows, joins and OVER have in common.

All arithmetic on windows comes down to one question: which rows of this group lie between these two
instants? Rows are sorted by (group, time, arrival) once, and the question is answered for many
windows at a time by binary search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
States = tuple[NDArray[np.generic], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """The rows each result is made of: rows `starts[i]` up to, not including, `ends[i]`.

    Ranges may overlap and may be empty; within a range rows are in order of (time, arrival).
    """

    starts: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Ints:
        """The number of rows of each range."""
        return self.ends - self.starts

    def take(self, which: Ints) -> Ranges:
        """Return some of the ranges."""
        return Ranges(self.starts[which], self.ends[which])

    def flat(self) -> tuple[Ints, Ints]:
        """Return the rows of all ranges one after the other, and the range each belongs to."""
        lengths = np.maximum(self.lengths, 0)
        owners = np.repeat(np.arange(len(self)), lengths)
        begins = np.cumsum(lengths) - lengths
        rows = np.arange(len(owners)) - np.repeat(begins - self.starts, lengths)
        return rows, owners


def of_lengths(lengths: Ints) -> Ranges:
    """Return ranges of these lengths, one after the other."""
    ends = np.cumsum(lengths)
    return Ranges(ends - lengths, ends)


class GroupedTimes:
    """Rows in order of (group, time, arrival), to be searched by group and time.

    Attributes:
        order: for each place, the row that stands there.
        codes: the group of each place.
        times: the time of each place.
    """

    def __init__(self, codes: Ints, times: Ints) -> None:
        if (np.diff(times) >= 0).all():
            self.order = argsort_codes(codes)
        else:
            by_time = np.argsort(times, kind="stable")
            self.order = by_time[argsort_codes(codes[by_time])]
        self.codes = codes[self.order]
        self.times = times[self.order]
        self._first = int(times.min()) if len(times) else 0
        self._instants: Ints | None = None
        # group and time as one number: the time itself if that fits into 64 bits, else its rank
        self._width = (int(times.max()) - self._first if len(times) else 0) + 3
        if (int(self.codes[-1]) + 2 if len(codes) else 1) * self._width >= 2**62:
            self._instants = np.unique(times)
            self._width = len(self._instants) + 3
        self._keys = self._key(self.codes, self.times, "left")

    def _key(self, codes: Ints, times: Ints, side: Literal["left", "right"]) -> Ints:
        if self._instants is None:
            ranks = np.clip(times, self._first - 1, self._first + self._width - 2) - self._first
            return codes * self._width + ranks + (2 if side == "right" else 1)
        return codes * self._width + np.searchsorted(self._instants, times, side) + 1

    def place(self, codes: Ints, times: Ints, side: Literal["left", "right"]) -> Ints:
        """Return where a row of this group and time would stand.

        `left`: before the rows of the same time; `right`: after them.
        """
        return np.searchsorted(self._keys, self._key(codes, times, side))

    def after_until(self, codes: Ints, low: Ints, high: Ints) -> Ranges:
        """Return the places of each group whose time lies in (low, high]."""
        return Ranges(self.place(codes, low, "right"), self.place(codes, high, "right"))

    def from_until(self, codes: Ints, low: Ints, high: Ints) -> Ranges:
        """Return the places of each group whose time lies in [low, high]."""
        return Ranges(self.place(codes, low, "left"), self.place(codes, high, "right"))


def argsort_codes(codes: Ints) -> Ints:
    """Return the stable order of small non-negative numbers; numpy sorts 16 bits by radix."""
    if len(codes) and codes.min() >= 0 and codes.max() < 65_536:
        return np.argsort(codes.astype(np.uint16), kind="stable")
    return np.argsort(codes, kind="stable")


def fold(states: States, ranges: Ranges, merge: Callable[[States, States], States]) -> States:
    """Merge the states of the rows of each range, from left to right; all at once.

    `states` are arrays with one entry per row; `merge` combines two sets of such arrays entry by
    entry. A range is taken apart into pieces whose lengths are powers of two, and the states of all
    pieces of one length come from one merge, so that the cost is rows times the logarithm of the
    longest range, however much ranges overlap. The result for a range depends on its rows alone.
    Results of empty ranges are meaningless.
    """
    lengths = np.maximum(ranges.lengths, 0)
    places = ranges.starts.copy()
    results: States = tuple(np.zeros(len(ranges), s.dtype) for s in states)
    if len(states) == 0 or len(ranges) == 0:
        return results
    begun = np.zeros(len(ranges), bool)
    longest = int(lengths.max(initial=0))
    size = 1
    while size <= longest:
        taking = np.flatnonzero(lengths & size)
        if len(taking):
            pieces = tuple(s[places[taking]] for s in states)
            fresh = ~begun[taking]
            joined = merge(tuple(r[taking] for r in results), pieces)
            for result, piece, both in zip(results, pieces, joined, strict=True):
                result[taking] = np.where(fresh, piece, both)
            begun[taking] = True
            places[taking] += size
        if size * 2 > longest:
            break
        states = merge(tuple(s[:-size] for s in states), tuple(s[size:] for s in states))
        size *= 2
    return results
