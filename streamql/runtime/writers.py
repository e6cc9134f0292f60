"""Outputs at run time: a thread that encodes and writes, behind a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from ..batch import MAIN, Batch
from ..column import Column
from ..rows import ColumnRows
from .delivery import OutputPolicy

_BEHIND = 3
"""Batches that may wait for a slow output before the pipeline does."""


class Sink(Protocol):
    """What a connector's sink offers."""

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        """Write rows given as columns."""

    def write_records(self, texts: pa.StringArray) -> None:
        """Write rows given as JSON objects."""

    def flush(self) -> None:
        """Make what was written visible."""

    def close(self) -> None:
        """Finish the output."""


class OutputWriter:
    """Writes one output in a thread of its own; errors surface at the next `put` or `finish`.

    Rows of a statement whose columns are known are written as columns, others as records.
    """

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self.rows = 0
        self.policy = OutputPolicy()
        self._sink = sink
        self._batches: queue.Queue[Batch | None] = queue.Queue(_BEHIND)
        self._error: BaseException | None = None
        self._finished = False
        self._thread = threading.Thread(target=self._run, name=f"write {name}", daemon=True)
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Take a batch; waits while the output is behind. Raises what writing raised."""
        self._raise()
        self.rows += batch.count
        self._batches.put(batch)

    def finish(self) -> None:
        """Write what is left and close; once is enough. Raises what writing raised."""
        if not self._finished:
            self._finished = True
            self._batches.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is None:
                break
            if self._error is not None:
                continue  # keep taking, so that the pipeline does not wait for ever
            try:
                self.policy.write(self.name, batch, self._write)
                if self._batches.empty():
                    self.policy.tried(self.name, self._sink.flush)
            except BaseException as error:  # noqa: BLE001 - raised in the pipeline's thread
                self._error = error
        try:
            self.policy.tried(self.name, self._sink.close)
        except BaseException as error:  # noqa: BLE001 - the same
            self._error = self._error or error

    def _write(self, batch: Batch) -> None:
        rows = batch.relations[MAIN]
        if isinstance(rows, ColumnRows) and not rows.absent:
            self._sink.write(list(rows.columns), list(rows.columns.values()))
        else:
            self._sink.write_records(rows.record().to_json(marked=False))
