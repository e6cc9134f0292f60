"""Rows with fewer fields, for those that must wait."""

from __future__ import annotations

from collections.abc import Iterator

from ...batch import MAIN, Batch
from ..narrowing import narrowed
from ..operator import Operator


class NarrowOperator(Operator):
    """Keeps the named fields, decoded, and lets go of the bytes that the events came in.

    `time` is the path of the field that is the events' time, which is read here.
    """

    def __init__(self, names: tuple[str, ...], time: tuple[str, ...] | None) -> None:
        self._names = names
        self._time = time

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        rows = narrowed(batch.relations[MAIN], self._names, self._time)
        yield batch.with_rows(MAIN, rows)
