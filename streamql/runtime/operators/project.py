"""The select list."""

from __future__ import annotations

from collections.abc import Iterable

from ...batch import Batch
from ...column import Column
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr, Whole
from ...rows import ColumnRows, Rows
from ...spread import SpreadRows, fields_of
from ..operator import Operator


class ProjectOperator(Operator):
    """Computes the columns of a select list; an item without a name spreads a record."""

    def __init__(self, items: tuple[tuple[str | None, Expr], ...]) -> None:
        self._items = items
        self._plain = all(name is not None for name, _ in items)

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        values = Evaluation(batch)
        if self._plain:
            columns = {name: values.column(e) for name, e in self._items if name is not None}
            return [batch.only(ColumnRows(columns, batch.count))]
        items: list[tuple[str | None, Column | Rows]] = []
        for name, expr in self._items:
            if name is None and isinstance(expr, Whole):
                items.append((None, batch.relations[expr.relation]))
            elif name is None:
                items.append((None, fields_of(values.column(expr))))
            else:
                items.append((name, values.column(expr)))
        return [batch.only(SpreadRows(items, batch.count))]
