"""Rows with fewer fields, for those that must wait."""

from __future__ import annotations

from collections.abc import Iterator

from ...batch import MAIN, Batch
from ...rows import ColumnRows
from ..operator import Operator


class NarrowOperator(Operator):
    """Keeps the named fields, decoded, and lets go of the bytes that the events came in."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        rows = batch.relations[MAIN]
        columns = {name: rows.field((name,)) for name in self._names}
        yield batch.with_rows(MAIN, ColumnRows(columns, batch.count))
