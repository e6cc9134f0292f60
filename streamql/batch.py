"""A batch: some rows on their way through the job, with their times and where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column
from .rows import ColumnRows, RecordRows, Rows, concat_rows

MAIN = ""
"""The key of the relation a plan node puts out; elements of APPLY have their alias as key."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of one or several relations side by side.

    Attributes:
        relations: the rows of each relation, all of the same length, in the same order.
        times: System.Timestamp() of each row, in ticks.
        events: number (from 1) of the input event each row comes from, for messages; 0 for a row
            that was made of several.
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


def concat_batches(batches: Sequence[Batch]) -> Batch:
    """Put batches one below the other; a relation that one does not have is NULL there."""
    if len(batches) == 1:
        return batches[0]
    keys = dict.fromkeys(key for b in batches for key in b.relations)
    relations = {
        key: concat_rows([b.relations.get(key) or ColumnRows({}, b.count) for b in batches])
        for key in keys
    }
    return Batch(
        relations,
        np.concatenate([b.times for b in batches]),
        np.concatenate([b.events for b in batches]),
    )


def pack(batch: Batch) -> dict[str, Any]:
    """Return a batch as plain values, arrays and Columns, for a snapshot."""
    return {
        "relations": {key: _pack_rows(rows) for key, rows in batch.relations.items()},
        "times": batch.times,
        "events": batch.events,
    }


def _pack_rows(rows: Rows) -> dict[str, Any]:
    if isinstance(rows, ColumnRows):
        return {"columns": rows.columns, "count": rows.count, "absent": rows.absent}
    return {"records": rows.record()}


def unpack(state: Mapping[str, Any]) -> Batch:
    """Return the batch that `pack` was given."""
    relations = {key: _unpack_rows(rows) for key, rows in state["relations"].items()}
    return Batch(relations, state["times"], state["events"])


def _unpack_rows(state: Mapping[str, Any]) -> Rows:
    if "records" in state:
        records: Column = state["records"]
        return RecordRows(records)
    return ColumnRows(state["columns"], state["count"], state["absent"])
