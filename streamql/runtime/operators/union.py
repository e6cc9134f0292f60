"""UNION: all rows, duplicates kept."""

from __future__ import annotations

from collections.abc import Iterable

from ...batch import Batch
from ..operator import Operator


class UnionOperator(Operator):
    """Passes the rows of all inputs on."""

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        return [batch]
