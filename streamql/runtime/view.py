"""A job as those see it who watch it run: its figures, and whether it is well.

All of it is read from counters that the parts of the job keep anyway, when somebody asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..batch import Batch
from ..instants import TICKS_PER_SECOND
from .delivery import OutputPolicy
from .figures import (
    of_checkpoints,
    of_deliveries,
    of_inputs,
    of_models,
    of_operators,
    of_outputs,
    of_state,
)
from .graph import Graph, Node
from .limits import Limits
from .metrics import Collector, Histogram, Metric, labelled
from .operators.write import Target, WriteOperator
from .policies import BEGIN, END
from .readers import InputReader
from .taken import Taken

if TYPE_CHECKING:
    from ..udf.scoring.stats import ScoringStats

STALLED = 60.0
"""Seconds that one round of the pipeline may take before the job counts as stalled."""
FAILING = 60.0
"""Seconds that an output may be tried again before the job counts as failing."""


class Models(Protocol):
    """The scoring functions of a job, as those see them who watch it."""

    def stats(self) -> Mapping[str, ScoringStats]:
        """Return the counters of each, by name."""

    def observe(self, on_request: Callable[[str, int, float, str, int], None]) -> None:
        """Have each request told that ends: function, rows, seconds, what came of it, attempt."""


@dataclass(frozen=True)
class Watching:
    """Who wants to see a job, and what they see it by.

    Attributes:
        show: is given the view of the job before it begins.
        clock: the time of now, in ticks, by which delays are told.
        models: the scoring functions.
    """

    show: Callable[[JobView], None]
    clock: Callable[[], int]
    models: Models | None = None


@dataclass(frozen=True)
class Health:
    """Whether a job is well, and what a person wants to know first.

    Attributes:
        well: a supervisor need not do anything.
        status: `running`; or what is wrong: `stalled` or `failing`.
        figures: plain values for JSON.
    """

    well: bool
    status: str
    figures: Mapping[str, Any]


@dataclass
class JobView:
    """What can be seen of a running job. Its methods may be called from any thread.

    Attributes:
        readers: of the inputs, by name.
        writers: of the outputs, by name; they count their `rows`.
        watching: who it is for.
        delivery: what happens when an output fails, and what came of it.
        taken: the checkpoints that were taken.
        collectors: whoever else has figures to show.
        seconds: a clock that rises, in seconds.
    """

    readers: Mapping[str, InputReader]
    writers: Mapping[str, Any]
    watching: Watching
    delivery: OutputPolicy = field(default_factory=OutputPolicy)
    taken: Taken = field(default_factory=Taken)
    collectors: list[Collector] = field(default_factory=list)
    seconds: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.graph = Graph([], {})
        self._began = self._turned = self.seconds()
        self._nodes: Mapping[str, Node] = {}
        self._limits: Limits | None = None
        self._saved: int | None = None
        self._saved_at = self._began
        self._delays: dict[str, Histogram] = {}
        self.taken.listeners.append(self._completed)

    # -- told by the job --------------------------------------------------------------------

    def begin(self, graph: Graph, limits: Limits) -> None:
        """Show the job, which is about to begin."""
        self.graph = graph
        self._nodes = limits.nodes
        self._limits = limits
        self.watching.show(self)

    def turned(self, saved: int | None = None) -> None:
        """The pipeline has come round; `saved` is the number of the newest checkpoint."""
        self._turned = self.seconds()
        if saved != self._saved:
            self._saved, self._saved_at = saved, self._turned

    def _completed(self, epoch: int, _seconds: float, _size: int) -> None:
        """A checkpoint is complete, maybe the last, behind which the pipeline goes no further."""
        self._saved, self._saved_at = epoch, self.seconds()

    def timed(self, name: str, target: Target) -> Target:
        """Return an output's target that takes down how old rows are when they get there."""
        self._delays[name] = Histogram()
        return _Timed(target, self.watching.clock, self._delays[name])

    # -- asked by others --------------------------------------------------------------------

    def health(self) -> Health:
        """Return whether the job goes on."""
        silent = self.seconds() - self._turned
        failing = {name: round(passed, 1) for name, passed in self._failing().items()}
        status = "running"
        if max(failing.values(), default=0.0) >= FAILING:
            status = "failing"  # which may be why it is stalled
        elif silent >= STALLED:
            status = "stalled"
        delays = [delay for _, delay in self._watermark_delays()]
        figures: dict[str, Any] = {
            "events": sum(r.counts.events for r in self.readers.values()),
            "rows": {name: writer.rows for name, writer in self.writers.items()},
            "seconds": round(self.seconds() - self._began, 1),
            "watermark_delay": round(max(delays), 3) if delays else None,
        }
        if self._saved is not None:
            figures["last_checkpoint_age"] = round(self.seconds() - self._saved_at, 1)
        if failing:
            figures["outputs_failing_for"] = failing
        if silent >= STALLED:
            figures["stalled_for"] = round(silent, 1)
        return Health(status == "running", status, figures)

    def metrics(self) -> Iterator[Metric]:
        """Yield all figures as they are now."""
        yield from of_inputs({name: r.counts for name, r in self.readers.items()})
        yield from self._of_readers()
        yield from of_outputs(
            {name: writer.rows for name, writer in self.writers.items()},
            dict(self._watermark_delays()),
            self._delays,
        )
        yield from of_models(self._models())
        yield from of_operators(self._nodes)
        if self._limits is not None:
            yield from of_state(self._limits)
        failing = self._failing()
        yield from of_deliveries(
            {name: self.delivery.dropped.get(name, 0) for name in self.writers},
            {name: failing.get(name, 0.0) for name in self.writers},
        )
        if self._saved is not None:
            yield from of_checkpoints(self.taken, self.seconds() - self._saved_at)
        for collector in self.collectors:
            yield from collector()

    def _failing(self) -> dict[str, float]:
        """Return for how long each output that fails has been tried again, in seconds."""
        now = self.delivery.seconds()
        return {name: now - since for name, since in self.delivery.failing.copy().items()}

    def _of_readers(self) -> Iterator[Metric]:
        yield Metric(
            "streamql_backlogged_input_events",
            "gauge",
            "Backlogged Input Events: events that were read and wait for the pipeline.",
            {labelled(input=name): reader.backlog for name, reader in self.readers.items()},
        )
        timed = {n: r.times for n, r in self.readers.items() if isinstance(r, TimedReader)}
        yield Metric(
            "streamql_batch_seconds",
            "histogram",
            "Time from taking a batch of events to having handed on all that comes of it.",
            {labelled(input=name): times for name, times in timed.items()},
        )

    def _models(self) -> Mapping[str, ScoringStats]:
        """Read the counters of models again when they got a new kind of status meanwhile."""
        for _ in range(100):
            try:
                return {} if self.watching.models is None else self.watching.models.stats()
            except RuntimeError:  # "dictionary changed size during iteration"
                continue
        return {}

    def _watermark_delays(self) -> Iterator[tuple[str, float]]:
        """Yield the outputs that have a watermark, and how far it is behind the clock."""
        marks: dict[str, int] = {}
        for node in self._nodes.values():
            if isinstance(node.operator, WriteOperator):
                name = node.name.removeprefix("write ")
                marks[name] = min(node.mark, marks.get(name, END))
        now = self.watching.clock()
        for name, mark in marks.items():
            if mark not in (BEGIN, END):
                yield name, (now - mark) / TICKS_PER_SECOND


class _Timed:
    """Takes batches for a target and notes how old their oldest rows are."""

    def __init__(self, target: Target, clock: Callable[[], int], delays: Histogram) -> None:
        self._target = target
        self._clock = clock
        self._delays = delays

    def put(self, batch: Batch) -> None:
        if batch.count:
            age = (self._clock() - int(batch.times.min())) / TICKS_PER_SECOND
            self._delays.observe(max(age, 0.0))
        self._target.put(batch)


@dataclass
class TimedReader(InputReader):
    """An input whose batches are timed, from when the pipeline takes one to when it is done."""

    times: Histogram = field(default_factory=Histogram)

    def batches(self) -> Iterator[Batch]:
        for batch in super().batches():
            began = time.perf_counter()
            yield batch
            self.times.observe(time.perf_counter() - began)
