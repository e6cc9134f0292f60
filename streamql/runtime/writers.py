"""Outputs at run time: a thread that encodes and writes, behind a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..batch import MAIN, Batch
from ..connectors.contract import Refused, Sink
from ..errors import InternalError
from ..rows import ColumnRows
from .delivery import OutputPolicy

_BEHIND = 3
"""Batches that may wait for a slow output before the pipeline does."""


@dataclass
class Asked:
    """Something that a writer's thread is to do with its sink, when its turn has come."""

    action: Callable[[Sink], Any]
    # looked up when one is made: a simulation has events of its own
    _done: threading.Event = field(default_factory=lambda: threading.Event())
    _found: Any = None
    _error: BaseException | None = None

    def do(
        self,
        sink: Sink,
        error: BaseException | None,
        tried: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        """Do it, unless the writer has failed before; `tried` does it again when it may help."""
        self._error = error

        def act() -> None:
            self._found = self.action(sink)

        if error is None:
            try:
                act() if tried is None else tried(act)
            except BaseException as failed:  # noqa: BLE001 - raised where the answer is waited for
                self._error = failed
        self._done.set()

    def result(self) -> Any:
        """Wait for it and return what came of it; raise what it raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._found


class OutputWriter:
    """Writes one output in a thread of its own; errors surface at the next `put` or `finish`.

    Rows of a statement whose columns are known are written as columns, others as records.

    Attributes:
        rows: how many were put.
        written: how many the sink has taken, in all runs of a job with checkpoints.
        policy: what happens when the output fails; see `use`.
    """

    def __init__(self, name: str, sink: Sink) -> None:
        self.name = name
        self.rows = 0
        self.written = 0
        self.policy = OutputPolicy()
        self._sink = sink
        self._dropping = False
        # not a queue of limited size: what waits for one of those can miss the news of what was put
        # when Ctrl-C comes in the middle of that, and then waits for ever
        self._batches: queue.SimpleQueue[Batch | Asked | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(_BEHIND)
        self._error: BaseException | None = None
        self._finished = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"write {name}", daemon=True)
        self._thread.start()

    def use(self, policy: OutputPolicy) -> None:
        """Deliver by a policy. To be called before the first row."""
        self.policy = policy
        self._dropping = self._sink.dropping = policy.action == "drop"
        self._sink.on_refused = self._refused

    def _refused(self, row: Refused) -> None:
        self.written -= 1
        self.policy.refused(self.name, row)

    def put(self, batch: Batch) -> None:
        """Take a batch; waits while the output is behind. Raises what writing raised."""
        self.check()
        self.rows += batch.count
        self._room.acquire()
        self._batches.put(batch)

    def ask(self, action: Callable[[Sink], Any]) -> Asked:
        """Let the thread do something with the sink, behind the batches that were put before.

        May be called from any thread; after `finish` nothing is done.
        """
        asked = Asked(action)
        with self._closing:
            if self._finished:
                asked.do(self._sink, InternalError(f"the output {self.name} is closed"))
            else:
                self._batches.put(asked)
        return asked

    @property
    def full(self) -> bool:
        """Whether a checkpoint should be taken soon: so much waits to be committed."""
        return self._sink.full

    @property
    def dropped(self) -> int:
        """How many rows the output did not take, so that they were dropped."""
        return self.policy.dropped.get(self.name, 0)

    def resume(self, rows: int, dropped: int, written: int | None) -> None:
        """Go on counting after an earlier run of the job."""
        if dropped:
            self.policy.dropped[self.name] = dropped
        self.written = rows - dropped if written is None else written

    def finish(self) -> None:
        """Write what is left and close; once is enough. Raises what writing raised."""
        with self._closing:
            closed, self._finished = self._finished, True
        if not closed:
            self._batches.put(None)
            self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise what writing raised, if it did."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            batch = self._batches.get()
            if batch is None:
                break
            if isinstance(batch, Asked):
                batch.do(self._sink, self._error, partial(self.policy.tried, self.name))
                continue
            self._room.release()
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
        if self._dropping:
            self._sink.events = batch.events
        if isinstance(rows, ColumnRows) and not rows.absent:
            self._sink.write(list(rows.columns), list(rows.columns.values()))
        else:
            self._sink.write_records(rows.record().to_json(marked=False))
        self.written += batch.count
