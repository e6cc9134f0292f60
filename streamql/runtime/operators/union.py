"""UNION: all rows, duplicates kept, in order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...batch import MAIN, Batch, concat_batches
from ..held import Held
from ..operator import Operator, State
from ..policies import END
from ..reorder import Waiting


class UnionOperator(Operator):
    """Merges its inputs by time; rows of one time come in the order of the inputs, then arrival.

    Rows wait until no input can bring an older one.
    """

    def __init__(self, ports: int) -> None:
        self._ports = [Waiting() for _ in range(ports)]

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        self._ports[port].add(batch.only(batch.relations[MAIN]))
        yield from ()

    def on_watermark(self, time: int) -> Iterator[Batch]:
        ready = [b for port in self._ports for b in port.until(time if time == END else time - 1)]
        if len(ready) <= 1:
            yield from ready
            return
        merged = concat_batches(ready)
        yield merged.take(np.argsort(merged.times, kind="stable"))

    def held(self) -> Held:
        return Held(sum(port.count for port in self._ports), 0, (self._ports,))

    def snapshot(self) -> State:
        return {"ports": [p.snapshot() for p in self._ports]}

    def restore(self, state: State) -> None:
        for port, waiting in zip(self._ports, state["ports"], strict=True):
            port.restore(waiting)
