"""WHERE, and HAVING without GROUP BY."""

from __future__ import annotations

from collections.abc import Iterable

from ...batch import Batch
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ..operator import Operator


class FilterOperator(Operator):
    """Keeps the rows whose predicate is true; unknown counts as false."""

    def __init__(self, predicate: Expr) -> None:
        self._predicate = predicate

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        kept = batch.filter(Evaluation(batch).truth(self._predicate))
        return [kept] if kept.count else []
