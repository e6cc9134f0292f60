"""Window arithmetic: which windows a time lies in, and where sessions begin and end.

All times and durations are ticks. Windows are (start, end]: the start is outside, the end inside.
Their ends are the multiples of the hop since 0001-01-01T00:00:00Z, which for sizes that
divide a day are the multiples since midnight, shifted by the offset.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ranges import GroupedTimes, Ranges

Ints = NDArray[np.int64]

ORIGIN = -621_355_968_000_000_000
"""0001-01-01T00:00:00Z in ticks since 1970."""


def next_end(times: Ints, hop: int, offset: int = 0) -> Ints:
    """Return the first multiple of `hop` (shifted) that is not before each time."""
    origin = ORIGIN + offset
    return -((origin - times) // hop) * hop + origin


def windows_of(times: Ints, size: int, hop: int, offset: int = 0) -> tuple[Ints, Ints]:
    """Return the windows each time lies in: row numbers and window ends, row by row.

    A time lies in about size / hop windows; in none, if it falls into a gap between them.
    """
    first = next_end(times, hop, offset)
    counts = np.maximum(-((first - times - size) // hop), 0)
    rows = np.repeat(np.arange(len(times)), counts)
    steps = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, first[rows] + steps * hop


def last_window(times: Ints, size: int, hop: int, offset: int = 0) -> Ints:
    """Return the end of the last window each time lies in; a time in a gap: before that time."""
    return next_end(times + size, hop, offset) - hop


def sessions(rows: GroupedTimes, timeout: int, maximum: int) -> tuple[Ranges, Ints]:
    """Return the sessions of each group, as ranges of places, and the time at which each ends.

    A session ends `timeout` after its last row, or earlier at the first multiple of `maximum` at
    which it is at least `maximum` old. A row exactly there still belongs to it; the next row begins
    the next session.
    """
    count = len(rows.times)
    if count == 0:
        nothing = np.zeros(0, np.int64)
        return Ranges(nothing, nothing), nothing
    breaks = (np.diff(rows.codes) != 0) | (np.diff(rows.times) > timeout)
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    stops = np.append(starts[1:], count)
    found: list[tuple[Ints, Ints, Ints]] = []
    while len(starts):
        cuts = next_end(rows.times[starts] + maximum, maximum)
        ends = np.minimum(rows.place(rows.codes[starts], cuts, "right"), stops)
        found.append((starts, ends, np.minimum(rows.times[ends - 1] + timeout, cuts)))
        more = ends < stops
        starts, stops = ends[more], stops[more]
    begin, end, at = (np.concatenate([f[i] for f in found]) for i in range(3))
    order = np.argsort(begin, kind="stable")
    return Ranges(begin[order], end[order]), at[order]
