"""A job that is driven step by step: events given by hand, time moved by hand, no threads.

Operators, time and rows are those of a job that runs by itself with live inputs; only who reads and
who waits is another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..connectors.memory import MemorySource
from ..errors import InternalError
from ..plan.nodes import Job
from ..plan.reads import what_is_read
from ..runtime.build import Surroundings, build
from ..runtime.policies import TimePolicy
from ..runtime.readers import InputReader, Reading
from ..runtime.references import ReferenceData
from ..settings import Settings
from .local import opener_of_scorers, reports_of


class SteppedJob:
    """A compiled job, its outputs and the clock by which its events arrive.

    Args:
        clock: tells what time it is, in ticks.
        targets: what takes the batches of each output.
    """

    def __init__(
        self,
        plan: Job,
        settings: Settings,
        clock: Callable[[], int],
        references: Mapping[str, ReferenceData],
        targets: Mapping[str, Any],
    ) -> None:
        self._progress = threading.Event()
        self._clock = clock
        self._ended = False
        self._given: dict[str, int] = {}
        reads = what_is_read(plan)
        start = clock()
        self.readers = {
            name: InputReader(
                name,
                _nothing_to_open,
                settings,
                start,
                self._progress.set,
                None,
                reads[name],
                clock,
            )
            for name in plan.inputs
        }
        self.times = {name: reads[name].time for name in plan.inputs}
        # only the clock moves time on while no event comes, and it counts with a late arrival alone
        order = settings.out_of_order or 0
        late = order if settings.late_arrival is None else settings.late_arrival
        policy = TimePolicy(late, order, settings.policy == "drop")
        policies = dict.fromkeys(self.readers, policy)
        self._graph = build(
            plan,
            Surroundings(
                targets,
                opener_of_scorers(settings, self._progress.set),
                reports_of(self.readers),
                settings,
                start,
                policies,
                references,
            ),
        )

    def give(self, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Give events to an input; they arrive now, and their rows are out when this returns."""
        reader = self.readers[name]
        reading = MemorySource(list(events), name).open()
        before = self._given.get(name, 0)
        self._given[name] = before + len(events)
        for block in reading.read() or ():
            reader.give(replace(block, events=block.events + before))
            for batch in reader.batches():
                for node, port in self._graph.entries[name]:
                    node.take(batch, port)
                self._settle()

    def advance(self, time: int) -> None:
        """Tell all inputs that nothing will arrive before `time` any more."""
        for name in self.readers:
            self._graph.advance(name, time)
        self._settle()

    def end(self) -> None:
        """End all inputs: what is open is closed and put out. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        for name in self.readers:
            self._graph.finish(name)
        self._settle()
        for node in self._graph.nodes:
            node.end()
        self._settle()

    def close(self) -> None:
        """Let go of what operators hold."""
        for node in self._graph.nodes:
            node.operator.close()

    def _settle(self) -> None:
        """Go on until no answer of a model is waited for."""
        nodes = self._graph.nodes
        while True:
            self._progress.clear()
            moved = False
            for node in nodes:
                if node.push(node.operator.poll()):
                    moved = True
                    node.forward()
            if moved:
                continue
            for node in nodes:  # what is collected for a full request goes as it is
                node.push(node.operator.on_idle())
                node.forward()
            if not any(node.operator.pending for node in nodes):
                return
            self._progress.wait(0.05)


def _nothing_to_open(*_: Any) -> Reading:
    raise InternalError("the inputs of a job that is driven step by step are not opened")
