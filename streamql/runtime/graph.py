"""The operators of a job and how batches and watermarks flow between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..batch import Batch
from .operator import Operator
from .policies import BEGIN, END
from .state import from_bytes, to_bytes


@dataclass(eq=False)
class Node:
    """An operator, where its batches go ((node, port) pairs), and the watermarks it has got.

    Attributes:
        plan: the plan node that the operator carries out.
        make: makes the operator anew: a restart gives the new one the state of the old one.
        key: what the operator is in the statement (`names`); no two have the same.
        marks: the watermark of each port.
        mark: the least of them.
        sent: the watermark of what the operator has put out.
        taken, given: rows that went into the operator, and that came out.
        seconds: time the operator has worked, those below it not counted.
    """

    make: Callable[[], Operator]
    ports: int
    name: str = ""
    plan: Any = None
    key: str = ""
    below: list[tuple[Node, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.operator = self.make()
        self.marks = [BEGIN] * self.ports
        self.mark = BEGIN
        self.sent = BEGIN
        self.taken = self.given = 0
        self.seconds = 0.0

    def push(self, batches: Iterable[Batch]) -> bool:
        """Send batches of this node on; tells whether there were any."""
        moved = False
        began = time.perf_counter()
        for batch in batches:  # most operators work when they are asked for the next batch
            self.seconds += time.perf_counter() - began
            self.given += batch.count
            moved = True
            for below, port in self.below:
                below.take(batch, port)
            began = time.perf_counter()
        self.seconds += time.perf_counter() - began
        return moved

    def take(self, batch: Batch, port: int) -> None:
        """Give the operator a batch and send on what comes of it."""
        self.taken += batch.count
        began = time.perf_counter()
        batches = self.operator.on_batch(batch, port)
        self.seconds += time.perf_counter() - began
        self.push(batches)
        self.forward()

    def advance(self, port: int, time: int) -> None:
        """Tell the operator that nothing older than `time` will come through a port."""
        if time <= self.marks[port]:
            return
        self.marks[port] = time
        least = min(self.marks)
        if least > self.mark:
            self.mark = least
            self.push(self.operator.on_watermark(least))
        self.forward()

    def forward(self) -> None:
        """Tell those below about a watermark that has moved."""
        time = self.operator.output_watermark(self.mark)
        if time > self.sent:
            self.sent = time
            for below, port in self.below:
                below.advance(port, time)

    def end(self) -> None:
        """No row will come any more: let out what is left."""
        self.push(self.operator.on_end())
        self.forward()

    def restart(self) -> None:
        """Replace the operator by a new one with the same state, as after a crash."""
        state = to_bytes(self.operator.snapshot())
        self.operator.close()
        self.operator = self.make()
        self.operator.restore(from_bytes(state))


@dataclass
class Graph:
    """The operators of a job in topological order, and what each input feeds."""

    nodes: list[Node]
    entries: dict[str, list[tuple[Node, int]]]

    def reached(self, name: str) -> list[Node]:
        """Return the nodes that rows of an input reach."""
        seen: dict[int, Node] = {}
        stack = [node for node, _ in self.entries[name]]
        while stack:
            node = stack.pop()
            if id(node) not in seen:
                seen[id(node)] = node
                stack += [below for below, _ in node.below]
        return list(seen.values())

    def companions(self) -> Mapping[str, set[str]]:
        """Return, for each input, the inputs that it meets in a join or union."""
        meets: dict[str, set[str]] = {name: set() for name in self.entries}
        by_node: dict[int, set[str]] = {}
        for name in self.entries:
            for node in self.reached(name):
                by_node.setdefault(id(node), set()).add(name)
        for node in self.nodes:
            if node.ports > 1:
                together = by_node.get(id(node), set())
                for name in together:
                    meets[name] |= together - {name}
        return meets

    def progress(self, name: str) -> int:
        """Return how far an input has come: the least watermark of what it feeds directly."""
        return min((node.sent for node, _ in self.entries[name]), default=END)

    def advance(self, name: str, time: int) -> None:
        """Tell what an input feeds that no event will arrive before `time` any more."""
        for node, port in self.entries[name]:
            node.advance(port, time)

    def finish(self, name: str) -> None:
        """Tell what an input feeds that it has ended."""
        self.advance(name, END)

    def restart(self) -> None:
        """Replace all operators by new ones with the state of the old ones."""
        for node in self.nodes:
            node.restart()
