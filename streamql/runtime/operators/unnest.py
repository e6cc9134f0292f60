"""CROSS APPLY and OUTER APPLY."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ...batch import Batch
from ...column import Column, combine
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...functions.array import get_array_elements
from ...functions.record import get_record_properties
from ...rows import ColumnRows
from ..operator import Operator

_FUNCTIONS = {
    "getarrayelements": (get_array_elements, ("ArrayIndex", "ArrayValue")),
    "getrecordproperties": (get_record_properties, ("PropertyName", "PropertyValue")),
}


class UnnestOperator(Operator):
    """Puts beside each row the elements of one of its values; rows keep their time.

    CROSS drops a row without elements, OUTER keeps it once, with NULLs.
    """

    def __init__(self, function: str, argument: Expr, alias: str, outer: bool) -> None:
        self._function, self._names = _FUNCTIONS[function]
        self._argument = argument
        self._alias = alias
        self._outer = outer

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        value = Evaluation(batch).column(self._argument)
        try:
            parents, first, second = self._function(value)
        except RunError as error:
            error.at(self._argument.span)
            if error.row is not None and error.event is None:
                error.event = int(batch.events[error.row])
            raise
        elements = [replace(first, constant=False), replace(second, constant=False)]
        if self._outer:
            alone = np.setdiff1d(np.arange(batch.count), parents)
            order = np.argsort(np.concatenate([parents, alone]), kind="stable")
            places = np.flatnonzero(order < len(parents))
            elements = [_spread(c, places, order[places], len(order)) for c in elements]
            parents = np.concatenate([parents, alone])[order]
        if len(parents) == 0:
            return []
        rows = ColumnRows(dict(zip(self._names, elements, strict=True)), len(parents))
        return [batch.take(parents).with_rows(self._alias, rows)]


def _spread(column: Column, places: np.ndarray, rows: np.ndarray, count: int) -> Column:
    """Return the column with `rows` at `places` and NULL elsewhere."""
    return combine(count, [(places, column.take(rows))])
