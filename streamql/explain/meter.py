"""Measures the operators of a run. They are wrapped before it begins, and only then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..batch import Batch
from ..plan.nodes import Write
from ..runtime.graph import Graph, Node
from ..runtime.held import size_of
from ..runtime.policies import END
from .model import Measured

_METHODS = ("on_batch", "on_watermark", "on_idle", "on_end", "poll")
_EVERY = 0.05
"""Seconds between two looks at what an operator keeps."""


class Meter:
    """What one operator used."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.cpu = 0.0
        self.state = 0
        self._looked = 0.0
        for name in _METHODS:
            setattr(node.operator, name, self._metered(getattr(node.operator, name), name))

    def _metered(
        self, method: Callable[..., Iterable[Batch]], name: str
    ) -> Callable[..., Iterator[Batch]]:
        def metered(*args: Any) -> Iterator[Batch]:
            if name != "on_batch":
                self._look(args == (END,))
            began = time.thread_time()
            batches = iter(method(*args))
            while True:
                batch = next(batches, None)
                self.cpu += time.thread_time() - began
                if batch is None:
                    break
                yield batch
                began = time.thread_time()
            self._look(False)

        return metered

    def _look(self, certainly: bool) -> None:
        """Take down what the operator keeps, now and then, and before its end."""
        now = time.monotonic()
        if certainly or now - self._looked > _EVERY:
            what = self.node.operator.held().what
            self.state = max(self.state, size_of(what) if what else 0)
            self._looked = time.monotonic()

    def measured(self) -> Measured:
        """Return what was measured so far."""
        node = self.node
        given = node.taken if isinstance(node.plan, Write) else node.given
        return Measured(node.taken, given, node.seconds, self.cpu, self.state)


def metered(graph: Graph) -> list[Meter]:
    """Begin to measure all operators of a job that has not begun yet."""
    return [Meter(node) for node in graph.nodes]
