"""Rows of many partitions laid one after the other, and how far a match may reach from each.

Each partition is followed by one slot without a row: what may still come. Wherever a match needs
that slot, and rows may still come in time, its outcome is open.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...grouping.ranges import GroupedTimes
from ...plan.pattern import ACCEPT, Automaton

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Slots:
    """The layout of rows that are in order of (time, arrival).

    Attributes:
        order: the rows in order of (partition, time, arrival).
        rows: the index into `order` of each slot; at the end of a partition that of the last row.
        ends: marks the slots at the end of a partition.
        of_row: the slot of each row, in the order of the rows.
        limits: for each row the slot that a match from it may not go beyond. Where more rows may
            come in time it is the one after the end of the partition, so that the end is within.
    """

    def __init__(self, codes: Ints, times: Ints, limit: int, now: int) -> None:
        grouped = GroupedTimes(codes, times)
        self.order = grouped.order
        count = len(codes)
        new = np.append(True, grouped.codes[1:] != grouped.codes[:-1])
        ordinal = np.cumsum(new) - 1
        places = np.arange(count) + ordinal
        total = count + int(ordinal[-1]) + 1
        self.ends = np.ones(total, bool)
        self.ends[places] = False
        self.rows = np.maximum(np.cumsum(~self.ends) - 1, 0)
        self.of_row = np.empty(count, np.int64)
        self.of_row[grouped.order] = places
        reach = grouped.place(grouped.codes, grouped.times + limit, "left") + ordinal
        # all rows there are lie within: whether more may come is a question of time
        reach += self.ends[reach] & (grouped.times + limit > now)
        self.limits = np.empty(count, np.int64)
        self.limits[grouped.order] = reach


def earliest_ends(automaton: Automaton, masks: Sequence[Mask], slots: Slots) -> list[Ints]:
    """Return for each place of the pattern where a match can end at the earliest.

    Entry i is the end (a slot, excluded) of the shortest rest of a match that begins with the row
    in slot i at that place; one more than the slot at the end of the partition if it takes rows
    that are still to come, and `never(slots)` if there is none. `masks` has the slots that fit each
    variable. A match from a row may take a place exactly if this is not beyond the row's limit:
    the way of the preferred match is found without ever going back.

    Repeats of one variable are computed for all rows at once; patterns that repeat groups, such as
    `(A B)+`, take a loop over the rows (about 1 microsecond for each row and place).
    """
    order = _from_the_end(automaton)
    if order is None:
        return _by_rows(automaton, masks, slots)
    size = len(slots.ends)
    found: list[Ints] = [np.empty(0, np.int64)] * len(automaton.variables)
    open_ends = np.flatnonzero(slots.ends)
    for place in order:
        follows = automaton.follows[place]
        after = np.full(size + 1, never(slots), np.int64)
        if ACCEPT in follows:
            after[:size] = np.arange(size)
        for other in follows:
            if other not in (ACCEPT, place):
                np.minimum(after[:size], found[other], out=after[:size])
        if place in follows:
            after[open_ends] = np.minimum(after[open_ends], open_ends + 1)
        ends = np.full(size, never(slots), np.int64)
        fits = np.flatnonzero(masks[automaton.variables[place]] & ~slots.ends)
        values = after[fits + 1]
        if place in follows and len(fits):
            # the least of all that come later in the same run: runs are kept apart by their number
            shift = runs(fits) * (never(slots) + 1)
            values = np.minimum.accumulate((values + shift)[::-1])[::-1] - shift
        ends[fits] = values
        ends[open_ends] = open_ends + 1
        found[place] = ends
    return found


def never(slots: Slots) -> int:
    """Return what stands for no end at all: beyond every limit."""
    return len(slots.ends) + 2


def runs(places: Ints) -> Ints:
    """Return for each of some rising numbers the number of the run without a gap it belongs to."""
    return np.cumsum(np.append(0, (np.diff(places) > 1).astype(np.int64)))


def _from_the_end(automaton: Automaton) -> list[int] | None:
    """Return the places so that each stands after those that follow it; None with a longer loop."""
    done: list[int] = []
    state = [0] * len(automaton.variables)  # 1: being looked at, 2: done
    for start in range(len(state)):
        stack = [start]
        while stack:
            place = stack[-1]
            waiting = [f for f in automaton.follows[place] if f not in (ACCEPT, place)]
            if state[place] == 0:
                state[place] = 1
                if any(state[f] == 1 for f in waiting):
                    return None
                stack += [f for f in waiting if state[f] == 0]
                continue
            stack.pop()
            if state[place] == 1:
                state[place] = 2
                done.append(place)
    return done


def _by_rows(automaton: Automaton, masks: Sequence[Mask], slots: Slots) -> list[Ints]:
    size, places = len(slots.ends), range(len(automaton.variables))
    nothing = [never(slots)] * len(places)
    accepts = [ACCEPT in f for f in automaton.follows]
    follows = [[f for f in fs if f != ACCEPT] for fs in automaton.follows]
    fits = np.column_stack([masks[v] for v in automaton.variables])
    table = np.empty((size, len(places)), np.int64)
    later = nothing
    end: list[bool] = slots.ends.tolist()
    by_row: list[list[bool]] = fits.tolist()
    for slot in range(size - 1, -1, -1):
        if end[slot]:
            now = [slot + 1] * len(places)
        elif True not in by_row[slot]:
            now = nothing
        else:
            now = nothing.copy()
            fit = by_row[slot]
            for place in places:
                if fit[place]:
                    if accepts[place]:
                        now[place] = slot + 1
                    else:
                        now[place] = min(later[f] for f in follows[place])
        table[slot] = now
        later = now
    return [np.ascontiguousarray(table[:, place]) for place in places]
