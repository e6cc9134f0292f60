"""INTO: the end of a statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...batch import MAIN, Batch
from ..operator import Operator


class Target(Protocol):
    """Takes batches for an output."""

    def put(self, batch: Batch) -> None:
        """Take a batch; blocks while the output is behind, raises what the output raised."""


class WriteOperator(Operator):
    """Hands rows to an output."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        self._target.put(batch.only(batch.relations[MAIN]))
        return []
