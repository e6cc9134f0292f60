"""The rows that a match may still need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...column import Column, concat
from ..policies import END
from .slots import Ints, Mask

_ARRAYS = ("numbers", "codes", "times", "events", "waiting", "earliest")


@dataclass(slots=True, eq=False)
class Buffer:
    """Rows in order of (time, arrival).

    Attributes:
        numbers: rise from row to row, for the whole life of a job.
        codes: the partition.
        times, events: as in a batch.
        waiting: whether it is not known yet if a match begins with the row.
        earliest: for waiting rows the number of the row such a match can end with at the earliest;
            END if that row is still to come.
        tests: for each variable, which rows its own test allows.
        kept: the kept values.
    """

    numbers: Ints
    codes: Ints
    times: Ints
    events: Ints
    waiting: Mask
    earliest: Ints
    tests: list[Mask]
    kept: list[Column]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def bound(self) -> int:
        """The number of the row that a match not found yet can end with at the earliest."""
        return int(self.earliest[self.waiting].min(initial=END))

    def append(self, other: Buffer) -> Buffer:
        """Return these rows and later ones."""
        if len(self) == 0:
            return other
        if len(other) == 0:
            return self
        arrays = {a: np.concatenate([getattr(self, a), getattr(other, a)]) for a in _ARRAYS}
        tests = [np.concatenate(pair) for pair in zip(self.tests, other.tests, strict=True)]
        kept = [concat(pair) for pair in zip(self.kept, other.kept, strict=True)]
        return Buffer(**arrays, tests=tests, kept=kept)

    def take(self, rows: Ints) -> Buffer:
        """Return some of the rows."""
        return Buffer(
            **{a: getattr(self, a)[rows] for a in _ARRAYS},
            tests=[t[rows] for t in self.tests],
            kept=[k.take(rows) for k in self.kept],
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the rows as arrays and Columns."""
        arrays = {a: getattr(self, a) for a in _ARRAYS}
        changing = {"waiting": self.waiting.copy(), "earliest": self.earliest.copy()}
        return {**arrays, **changing, "tests": self.tests, "kept": self.kept}


def fresh(
    first: int, codes: Ints, times: Ints, events: Ints, tests: Sequence[Mask], kept: list[Column]
) -> Buffer:
    """Return new rows; with each of them a match may begin."""
    count = len(codes)
    numbers = np.arange(first, first + count)
    waiting = np.ones(count, bool)
    return Buffer(numbers, codes, times, events, waiting, numbers.copy(), list(tests), kept)
