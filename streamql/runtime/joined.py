"""Rows of several relations side by side: what the sides of a join become."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ..batch import MAIN, Batch
from ..column import Column, nulls
from ..expressions.nodes import ANALYTIC, CALLS, META, TIMES
from ..gapped import GappedRows
from ..plan.nodes import Join
from ..rows import ColumnRows, Rows
from ..text import valid
from ..types import Type

_SHARED = (ANALYTIC, CALLS, TIMES)
"""Relations that both sides of a join may have; their columns have different names."""


def named(batch: Batch, key: str | None) -> Batch:
    """Return a batch whose main relation is called `key`, with a relation of its times.

    None leaves a batch of named relations as it is.
    """
    if key is None:
        return batch
    relations = dict(batch.relations)
    relations[key] = relations.pop(MAIN)
    if META in relations:
        relations[f"{META}.{key}"] = relations.pop(META)
    own = Column(Type.DATETIME, pa.array(batch.times))
    relations[TIMES] = ColumnRows({key: own}, batch.count)
    return Batch(relations, batch.times, batch.events)


def time_of(batch: Batch, relation: str, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the time of each row in one of its relations, and whether it has a row there."""
    if key is not None:
        return batch.times, np.ones(batch.count, bool)
    column = batch.relations[TIMES].field((relation,))
    if column.type is Type.NULL:
        return batch.times, np.zeros(batch.count, bool)
    times = column.values.fill_null(0).to_numpy(zero_copy_only=False)
    return times, valid(column.values)


def joined(
    plan: Join,
    left: Batch,
    right: Batch | None,
    lefts: np.ndarray,
    rights: np.ndarray | None,
    times: np.ndarray,
) -> Batch:
    """Return rows of both sides beside each other; `rights` None: the right side is NULL."""
    count = len(lefts)
    relations: dict[str, Rows] = {k: rows.take(lefts) for k, rows in left.relations.items()}
    if right is not None and rights is not None:
        others = {k: rows.take(rights) for k, rows in right.relations.items()}
    else:
        # what was computed over the right side alone is NULL as well
        others = {
            plan.right_key: missing(count),
            f"{META}.{plan.right_key}": ColumnRows({}, count),
            ANALYTIC: ColumnRows({}, count),
        }
    for key, rows in others.items():
        mine = relations.get(key)
        if key in _SHARED and isinstance(mine, ColumnRows) and isinstance(rows, ColumnRows):
            relations[key] = ColumnRows({**mine.columns, **rows.columns}, count)
        else:
            relations[key] = rows
    if rights is None and plan.outer:
        relations[TIMES] = _with_null(relations[TIMES], plan.right_key, count)
    return Batch(relations, times, left.events[lefts])


def _with_null(rows: Rows, key: str, count: int) -> Rows:
    assert isinstance(rows, ColumnRows)
    return ColumnRows({**rows.columns, key: nulls(count)}, count)


def missing(count: int) -> Rows:
    """Return rows of a relation that has none here: all fields, and the whole row, are NULL."""
    nothing = ColumnRows({}, 0)
    return GappedRows(nothing, np.zeros(count, np.int64), np.zeros(count, bool))
