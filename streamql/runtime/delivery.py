"""How rows get to an output that fails: tried again, dropped, or the end of the job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..batch import MAIN, Batch
from ..connectors.contract import Refused
from ..errors import OutputError
from ..formats.decoded import SAMPLE_BYTES

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_FEW = 256
"""Rows that are written together after one was dropped; twice as many each time it goes well."""


@dataclass
class OutputPolicy:
    """What happens when an output fails (`output_errors`).

    An error that may pass is tried again with growing pauses, for ever, with `retry` and with
    `drop`; one that is about a single row drops that row with `drop`. All else ends the job.

    Attributes:
        action: `retry`, `drop` or `fail`.
        letter: takes the record of a dropped row; None: it is lost.
        warn: told that an output fails, and that it works again.
        stopped: set to give up trying.
        wait: waits for so many seconds and tells whether to give up; tests set it.
        dropped: how many rows were dropped, by output.
        failing: since when each output that is tried again has failed, by `seconds`.
        seconds: a clock that rises, in seconds.
    """

    action: str = "fail"
    letter: Callable[[Mapping[str, Any]], None] | None = None
    warn: Callable[[str], None] | None = None
    # the event is looked up when one is made: a simulation has events of its own
    stopped: threading.Event = field(default_factory=lambda: threading.Event())
    wait: Callable[[float], bool] | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)
    seconds: Callable[[], float] = time.monotonic

    def tried(self, output: str, action: Callable[[], None]) -> None:
        """Do something with an output; what may pass is tried again. Raises OutputError."""
        pause, failures = _FIRST_PAUSE, 0
        while True:
            try:
                action()
            except OutputError as error:
                if not error.retriable or self.action == "fail":
                    self.failing.pop(output, None)
                    raise
                failures += 1
                self.failing.setdefault(output, self.seconds())
                if failures == 1 and self.warn is not None:
                    self.warn(f"{output}: {error.message}; trying again until it works")
                if (self.wait or self.stopped.wait)(pause):
                    raise
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self.failing.pop(output, None)
            if failures and self.warn is not None:
                self.warn(f"{output} works again, after {failures:,} attempts that failed")
            return

    def write(self, output: str, batch: Batch, write: Callable[[Batch], None]) -> None:
        """Write a batch; rows that the output does not take are dropped where settings say so."""
        at, size = 0, batch.count
        while at < batch.count or batch.count == 0:
            some = batch
            if at or size < batch.count:
                some = batch.take(np.arange(at, min(at + size, batch.count)))
            try:
                self.tried(output, lambda part=some: write(part))  # type: ignore[misc]
            except OutputError as error:
                if self.action != "drop" or error.row is None or error.retriable:
                    raise
                if error.row:
                    good = some.take(np.arange(error.row))
                    self.tried(output, lambda part=good: write(part))  # type: ignore[misc]
                self._drop(output, some, error)
                at, size = at + error.row + 1, _FEW
                continue
            if some is batch:
                return
            at, size = at + some.count, size * 2

    def _drop(self, output: str, batch: Batch, error: OutputError) -> None:
        text = ""
        one = batch.take(np.array([error.row]))
        if self.letter is not None:
            text = one.relations[MAIN].record().to_json(marked=False)[0].as_py() or ""
        self.refused(output, Refused(int(one.events[0]), error.message, text))

    def refused(self, output: str, row: Refused) -> None:
        """Count a row that an output did not take, and keep it as a dead letter."""
        self.dropped[output] = self.dropped.get(output, 0) + 1
        if self.letter is None:
            return
        record = {"kind": "output", "output": output, "event": row.event}
        shown = row.text.encode()[:SAMPLE_BYTES].decode(errors="ignore")
        self.letter({**record, "reason": row.reason, "text": shown})
