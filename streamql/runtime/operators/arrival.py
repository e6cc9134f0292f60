"""Arrival time, for an input without TIMESTAMP BY whose events say when they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...batch import Batch
from ..operator import Operator, State
from ..policies import BEGIN, END


class ArrivalOperator(Operator):
    """Gives each row its arrival time, which never goes back.

    `start` is the time of events that bring no arrival: such an event arrives with the one before
    it, and at the start of the job if it is the first.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._last = BEGIN

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        known = batch.times != self._start
        times = np.where(known, batch.times, BEGIN)
        times = np.maximum(np.maximum.accumulate(times), self._last)
        times[times == BEGIN] = self._start
        if known.any():
            self._last = int(times[-1])
        yield replace(batch, times=times)

    def output_watermark(self, time: int) -> int:
        return END if time == END else self._last

    def snapshot(self) -> State:
        return {"last": self._last}

    def restore(self, state: State) -> None:
        self._last = state["last"]
