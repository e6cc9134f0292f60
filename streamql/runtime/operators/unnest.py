"""CROSS APPLY and OUTER APPLY."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...batch import Batch
from ...column import Column, combine
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...functions.array import get_array_elements
from ...functions.record import get_record_properties
from ...functions.table import TableFunction
from ...rows import ColumnRows, RecordRows, Rows
from ..operator import Operator

Ints = NDArray[np.int64]
_FUNCTIONS = {
    "getarrayelements": (get_array_elements, ("ArrayIndex", "ArrayValue")),
    "getrecordproperties": (get_record_properties, ("PropertyName", "PropertyValue")),
}


class UnnestOperator(Operator):
    """Puts beside each row the elements of one of its values; rows keep their time.

    CROSS drops a row without elements, OUTER keeps it once, with NULLs, unless it is to leave the
    stream because the function failed.
    """

    def __init__(
        self, function: str | TableFunction, argument: Expr, alias: str, outer: bool
    ) -> None:
        self._expand = _built_in(function) if isinstance(function, str) else function.attempt
        self._argument = argument
        self._alias = alias
        self._outer = outer

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        value = Evaluation(batch).column(self._argument)
        try:
            parents, rows, gone = self._expand(value, batch.events)
        except RunError as error:
            error.at(self._argument.span)
            if error.row is not None and error.event is None:
                error.event = int(batch.events[error.row]) or None
            raise
        if self._outer:
            alone = np.setdiff1d(np.arange(batch.count), np.concatenate([parents, gone]))
            order = np.argsort(np.concatenate([parents, alone]), kind="stable")
            rows = _spread(rows, np.flatnonzero(order < len(parents)), len(order))
            parents = np.concatenate([parents, alone])[order]
        if len(parents) == 0:
            return []
        return [batch.take(parents).with_rows(self._alias, rows)]


def _built_in(function: str) -> Callable[[Column, Ints], tuple[Ints, Rows, Ints]]:
    take_apart, names = _FUNCTIONS[function]

    def expand(value: Column, _events: Ints) -> tuple[Ints, Rows, Ints]:
        parents, *elements = take_apart(value)
        columns = [replace(element, constant=False) for element in elements]
        rows = ColumnRows(dict(zip(names, columns, strict=True)), len(parents))
        return parents, rows, parents[:0]

    return expand


def _spread(rows: Rows, places: Ints, count: int) -> Rows:
    """Return the rows one after the other at `places`, and NULLs elsewhere."""
    if isinstance(rows, ColumnRows):
        columns = {name: combine(count, [(places, c)]) for name, c in rows.columns.items()}
        return ColumnRows(columns, count)
    return RecordRows(combine(count, [(places, rows.record())]))
