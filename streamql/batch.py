"""A batch: some rows on their way through the job, with their times and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rows import Rows

MAIN = ""
"""The key of the relation a plan node puts out; elements of APPLY have their alias as key."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of one or several relations side by side.

    Attributes:
        relations: the rows of each relation, all of the same length, in the same order.
        times: System.Timestamp() of each row, in ticks.
        events: number (from 1) of the input event each row comes from, for messages.
    """

    relations: Mapping[str, Rows]
    times: NDArray[np.int64]
    events: NDArray[np.int64]

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.times)

    def take(self, rows: NDArray[np.int64]) -> Batch:
        """Return the rows at these indices, in their order."""
        taken = {key: relation.take(rows) for key, relation in self.relations.items()}
        return Batch(taken, self.times[rows], self.events[rows])

    def filter(self, keep: NDArray[np.bool_]) -> Batch:
        """Return the rows for which the mask is True."""
        return self if keep.all() else self.take(np.flatnonzero(keep))

    def with_rows(self, key: str, rows: Rows) -> Batch:
        """Return the batch with one more relation beside the others."""
        return Batch({**self.relations, key: rows}, self.times, self.events)

    def only(self, rows: Rows) -> Batch:
        """Return the batch with `rows` as its only relation."""
        return Batch({MAIN: rows}, self.times, self.events)
