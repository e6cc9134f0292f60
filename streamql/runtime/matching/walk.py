"""The preferred match of each of many rows, found for all of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...plan.pattern import ACCEPT, Automaton
from .slots import Ints, Slots, runs

_TOGETHER = 8_000_000
"""Rows that are walked side by side may reach over so many rows: it bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Matches, and the pieces they are made of.

    Attributes:
        rows: the row each match begins with.
        ends: the slot after the last row of each match.
        match, starts, stops, places: of each piece the match (an index), its slots (stop excluded)
            and its place in the pattern; in order of the matches and of the rows in each.
        waiting: the rows whose match depends on rows to come.
    """

    rows: Ints
    ends: Ints
    match: Ints
    starts: Ints
    stops: Ints
    places: Ints
    waiting: Ints


def walk(automaton: Automaton, ends: Sequence[Ints], slots: Slots, rows: Ints) -> list[Found]:
    """Return the matches that begin at some rows, a part of the rows at a time.

    `ends` come from `earliest_ends`. A repeat of one variable is one step however many rows it
    takes, so the number of steps is that of the changes from one place to another.
    """
    jumps = {
        place: _Jump(ends[place], slots)
        for place, follows in enumerate(automaton.follows)
        if follows[0] == place
    }
    reach = np.cumsum(slots.limits[rows] - slots.of_row[rows]) // _TOGETHER
    parts = np.split(rows, np.flatnonzero(np.diff(reach)) + 1)
    return [_walk(automaton, ends, slots, part, jumps) for part in parts if len(part)]


class _Jump:
    """How far a repeat goes: the earliest ends only rise within a run of rows that fit."""

    def __init__(self, ends: Ints, slots: Slots) -> None:
        self._width = len(slots.ends) + 3
        self._fits = np.flatnonzero(ends < self._width - 1)
        number = runs(self._fits) if len(self._fits) else self._fits
        # a partition ends in a slot that always fits, so that its run must not go on behind it
        closed = np.cumsum(slots.ends[self._fits]) - slots.ends[self._fits]
        self._run = number + closed
        self._keys = ends[self._fits] + self._run * self._width

    def stops(self, slots: Ints, limits: Ints) -> Ints:
        """Return the slot after the last one that a repeat from each slot takes."""
        run = self._run[np.searchsorted(self._fits, slots)]
        last = np.searchsorted(self._keys, limits + run * self._width, "right") - 1
        stops: Ints = self._fits[last] + 1
        return stops


def _walk(
    automaton: Automaton,
    ends: Sequence[Ints],
    slots: Slots,
    rows: Ints,
    jumps: dict[int, _Jump],
) -> Found:
    at = slots.of_row[rows]
    limits = slots.limits[rows]
    finish = np.full(len(rows), -1, np.int64)
    waits = np.zeros(len(rows), bool)
    pieces: list[tuple[Ints, Ints, Ints, Ints]] = []
    groups: list[tuple[tuple[int, ...], Ints]] = [(automaton.first, np.arange(len(rows)))]
    while groups:
        reached: dict[int, list[Ints]] = {}
        for follows, walking in groups:
            for place in follows:
                if place == ACCEPT:
                    finish[walking] = at[walking]
                    break
                goes = ends[place][at[walking]] <= limits[walking]
                going, walking = walking[goes], walking[~goes]
                open_end = slots.ends[at[going]]
                waits[going[open_end]] = True
                going = going[~open_end]
                if len(going):
                    start = at[going]
                    jump = jumps.get(place)
                    stop = start + 1 if jump is None else jump.stops(start, limits[going])
                    # the end of a partition is no row: the next step finds that it waits there
                    stop = np.where(slots.ends[stop - 1], stop - 1, stop)
                    pieces.append((going, start, stop, np.full(len(going), place)))
                    at[going] = stop
                    reached.setdefault(place, []).append(going)
        groups = [(automaton.follows[p], np.concatenate(g)) for p, g in reached.items()]
    return _found(rows, finish, waits, pieces)


def _found(
    rows: Ints, finish: Ints, waits: np.ndarray, pieces: list[tuple[Ints, Ints, Ints, Ints]]
) -> Found:
    matched = np.flatnonzero(finish >= 0)
    number = np.full(len(rows), -1, np.int64)
    number[matched] = np.arange(len(matched))
    empty = np.zeros(0, np.int64)
    owner, starts, stops, places = (
        (np.concatenate(columns) for columns in zip(*pieces, strict=True))
        if pieces
        else (empty, empty, empty, empty)
    )
    owner = number[owner]
    order = np.lexsort((starts, owner))
    order = order[owner[order] >= 0]
    return Found(
        rows[matched],
        finish[matched],
        owner[order],
        starts[order],
        stops[order],
        places[order],
        rows[waits],
    )
