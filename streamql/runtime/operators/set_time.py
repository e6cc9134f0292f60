"""TIMESTAMP BY without time policies: each event gets its own time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from ... import instants
from ...batch import Batch
from ...column import nulls
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...text import valid
from ...types import Type
from ..operator import Operator


class SetTimeOperator(Operator):
    """Sets the time of each row; a row without a valid time is a data error and is dropped.

    `on_invalid` is told the number of events dropped and the number of the first.
    """

    def __init__(self, value: Expr, on_invalid: Callable[[int, int], None]) -> None:
        self._value = value
        self._on_invalid = on_invalid

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        times, known = self._times(batch)
        if not known.all():
            bad = np.flatnonzero(~known)
            self._on_invalid(len(bad), int(batch.events[bad[0]]))
            batch, times = batch.filter(known), times[known]
        return [replace(batch, times=times)] if batch.count else []

    def _times(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        try:
            column = Evaluation(batch).column(self._value)
        except RunError:
            # an error in one row's time must not sink the others: find them one by one
            if batch.count == 1:
                column = nulls(1)
            else:
                halves = np.array_split(np.arange(batch.count), 2)
                found = [self._times(batch.take(half)) for half in halves]
                return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])
        ticks = np.zeros(batch.count, np.int64)
        known = np.zeros(batch.count, bool)
        for rows, part in column.parts():
            values = part.values
            if part.type is Type.TEXT:
                values = instants.parse(values)
            elif part.type is not Type.DATETIME:
                continue
            where = slice(None) if rows is None else rows
            ticks[where] = values.fill_null(0).to_numpy(zero_copy_only=False)
            known[where] = valid(values)
        return ticks, known
