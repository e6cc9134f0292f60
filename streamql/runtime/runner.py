"""The loop that moves batches from inputs through operators to outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .graph import Graph, Node
from .readers import InputReader
from .writers import OutputWriter

if TYPE_CHECKING:
    from .coordinator import Coordinator


@dataclass
class JobStatus:
    """How far a job is: for progress displays."""

    events: int
    rows: int
    seconds: float


@dataclass
class Runner:
    """Runs a built job to the end of its inputs, in the calling thread.

    Inputs read ahead in threads of their own, outputs write in theirs; both queues are bounded.
    Inputs above a saturated operator wait, the others go on. Of inputs that meet in a join or union
    the one that is behind in time is read first, so that little waits for it. For tests, `restart`
    replaces all operators after each batch by new ones with the same state.

    With `checkpoints` they are taken between two blocks of an input, and `stopping` ends the job
    with one; without, it ends as at the end of the inputs.
    """

    graph: Graph
    readers: Mapping[str, InputReader]
    writers: Mapping[str, OutputWriter]
    progress: threading.Event
    on_progress: Callable[[JobStatus], None] | None = None
    restart: bool = False
    on_failure: Callable[[], None] | None = None
    checkpoints: Coordinator | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    stopped: bool = False
    _began: float = field(default_factory=time.monotonic)
    _told: float = 0.0

    def run(self) -> None:
        """Run until all inputs have ended and all rows are written.

        Raises the first error of any part; whatever happens, everything is closed on return.
        """
        reached = {name: self.graph.reached(name) for name in self.readers}
        self._meets = self.graph.companions()
        for reader in self.readers.values():
            reader.begin()
        finished = False
        try:
            while not (self._all_done or self.stopping.is_set()):
                self.progress.clear()
                moved = self._read(reached) | self._poll()
                if self.checkpoints is not None:
                    self.checkpoints.step(moved)
                self._tell()
                if not moved:
                    # what is saturated gets no rows to fill its last batch with: it goes as it is
                    full = any(node.operator.saturated for node in self.graph.nodes)
                    if full or not any(reader.waiting for reader in self.readers.values()):
                        self._idle()
                    self.progress.wait(0.05 if self._pending() else 0.2)
            self._complete()
            finished = True
        finally:
            self._close(finished)

    @property
    def _all_done(self) -> bool:
        return all(reader.done for reader in self.readers.values())

    def _complete(self) -> None:
        """Let out what is left; a job that is to be continued keeps it in its checkpoint."""
        if self.checkpoints is not None and not self._all_done:
            self.checkpoints.stop()
            self.stopped = True
            return
        for name, reader in self.readers.items():
            if not reader.done:
                self.graph.finish(name)
        for node in self.graph.nodes:
            node.end()
        if self.checkpoints is not None:
            self.checkpoints.finish()

    def _end(self, name: str) -> None:
        """Tell the operators that an input has ended."""
        if self.checkpoints is not None:
            self.checkpoints.ending(name, self._all_done)
        self.graph.finish(name)

    def _read(self, reached: Mapping[str, list[Node]]) -> bool:
        moved = False
        for name, reader in self.readers.items():
            if reader.done or (reader.clock is None and self._is_ahead(name)):
                continue
            if any(n.operator.saturated for n in reached[name]):
                continue
            before = reader.waiting
            for batch in reader.batches():
                moved = True
                for node, port in self.graph.entries[name]:
                    node.take(batch, port)
                if self.restart:
                    self.graph.restart()
            if self.checkpoints is not None and before and not reader.done:
                self.checkpoints.taken()
            if reader.done:
                self._end(name)
            elif reader.clock is not None and not reader.waiting:
                self.graph.advance(name, reader.clock())
            moved |= before
        return moved

    def _is_ahead(self, name: str) -> bool:
        """Tell whether an input that this one meets is behind it in time."""
        mine = self.graph.progress(name)
        return any(
            self.graph.progress(other) < mine
            for other in self._meets[name]
            if not self.readers[other].done
        )

    def _poll(self) -> bool:
        moved = False
        for node in self.graph.nodes:
            if node.push(node.operator.poll()):
                moved = True
                node.forward()
        return moved

    def _idle(self) -> None:
        for node in self.graph.nodes:
            node.push(node.operator.on_idle())
            node.forward()

    def _pending(self) -> bool:
        return any(node.operator.pending for node in self.graph.nodes)

    def _tell(self) -> None:
        now = time.monotonic()
        if self.on_progress is None or now - self._told < 0.1:
            return
        self._told = now
        self.on_progress(
            JobStatus(
                sum(r.counts.events for r in self.readers.values()),
                sum(w.rows for w in self.writers.values()),
                now - self._began,
            )
        )

    def abandon(self) -> None:
        """Close everything without running."""
        self._close(False)

    def _close(self, finished: bool) -> None:
        if not finished and self.on_failure is not None:
            self.on_failure()  # outputs that are tried again and again give up
        for reader in self.readers.values():
            reader.stop()
        for node in self.graph.nodes:
            node.operator.close()
        errors: list[BaseException] = []
        for writer in self.writers.values():
            try:
                writer.finish()
            except BaseException as error:  # noqa: BLE001 - the first one is raised below
                errors.append(error)
        if finished and errors:
            raise errors[0]
