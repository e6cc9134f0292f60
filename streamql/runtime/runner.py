"""The loop that moves batches from inputs through operators to outputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..batch import Batch
from .build import Graph, Node
from .readers import InputReader
from .writers import OutputWriter


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
    Inputs above a saturated operator wait, the others go on.
    """

    graph: Graph
    readers: Mapping[str, InputReader]
    writers: Mapping[str, OutputWriter]
    progress: threading.Event
    on_progress: Callable[[JobStatus], None] | None = None
    _began: float = field(default_factory=time.monotonic)
    _told: float = 0.0

    def run(self) -> None:
        """Run until all inputs have ended and all rows are written.

        Raises the first error of any part; whatever happens, everything is closed on return.
        """
        reached = {name: self.graph.reached(name) for name in self.readers}
        for reader in self.readers.values():
            reader.begin()
        finished = False
        try:
            while not all(reader.done for reader in self.readers.values()):
                self.progress.clear()
                moved = self._read(reached) | self._poll()
                self._tell()
                if not moved:
                    if not any(reader.waiting for reader in self.readers.values()):
                        self._idle()
                    self.progress.wait(0.05 if self._pending() else 0.2)
            for node in self.graph.nodes:
                self._push(node, node.operator.on_end())
            finished = True
        finally:
            self._close(finished)

    def _read(self, reached: Mapping[str, list[Node]]) -> bool:
        moved = False
        for name, reader in self.readers.items():
            if reader.done or any(n.operator.saturated for n in reached[name]):
                continue
            before = reader.waiting
            for batch in reader.batches():
                moved = True
                for node, port in self.graph.entries[name]:
                    self._push(node, node.operator.on_batch(batch, port))
            moved |= before
        return moved

    def _poll(self) -> bool:
        moved = False
        for node in self.graph.nodes:
            for batch in node.operator.poll():
                moved = True
                self._push(node, (batch,))
        return moved

    def _idle(self) -> None:
        for node in self.graph.nodes:
            self._push(node, node.operator.on_idle())

    def _pending(self) -> bool:
        return any(node.operator.pending for node in self.graph.nodes)

    def _push(self, node: Node, batches: Iterable[Batch]) -> None:
        for batch in batches:
            for below, port in node.below:
                self._push(below, below.operator.on_batch(batch, port))

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

    def _close(self, finished: bool) -> None:
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
