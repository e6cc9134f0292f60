"""Calls of functions that drop the rows for which they fail."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...batch import Batch
from ...column import Column, combine
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import CALLS, Call, Expr
from ...functions.dropping import Dropping
from ...rows import ColumnRows
from ...types import Type
from ..operator import Operator


class CallOperator(Operator):
    """Calls a function for the rows whose guard is true and puts the results beside the rows.

    Rows for which the call fails are dropped; for those it is not made for, the result is NULL.
    """

    def __init__(self, name: str, call: Call, guard: Expr | None) -> None:
        self._name = name
        self._call = call
        self._guard = guard

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        some, rows = batch, None
        if self._guard is not None:
            reached = Evaluation(batch).truth(self._guard)
            if not reached.all():
                rows = np.flatnonzero(reached)
                some = batch.take(rows)
        results, failed = self._results(some)
        if rows is not None:
            results = combine(batch.count, [(rows, results)])
        known = batch.relations.get(CALLS)
        columns = dict(known.columns) if isinstance(known, ColumnRows) else {}
        columns[self._name] = results
        batch = batch.with_rows(CALLS, ColumnRows(columns, batch.count))
        if failed is not None:
            keep = np.ones(batch.count, bool)
            keep[np.flatnonzero(failed) if rows is None else rows[failed]] = False
            batch = batch.filter(keep)
        return [batch] if batch.count else []

    def _results(self, batch: Batch) -> tuple[Column, NDArray[np.bool_] | None]:
        evaluation, function = Evaluation(batch), self._call.function
        columns = [evaluation.column(argument) for argument in self._call.arguments]
        if function.by_event:
            columns.append(Column(Type.DATETIME, pa.array(batch.times)))
            columns.append(Column(Type.BIGINT, pa.array(batch.events)))
        assert isinstance(function, Dropping), "only these are lifted to be called here"
        try:
            return function.attempt(columns, batch.events)
        except RunError as error:
            if error.event is None and error.row is not None:
                error.event = int(batch.events[error.row]) or None
            raise error.at(self._call.span) from None
