"""Runs a job on this machine: readers, operators and writers in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..connectors.catalog import open_sink
from ..connectors.contract import Position, Sink
from ..connectors.filesink import file_in_directory
from ..errors import UsageError, suggest
from ..plan.nodes import Job
from ..plan.reads import what_is_read
from ..runtime.accounts import OutputAccount
from ..runtime.build import Surroundings, build
from ..runtime.delivery import OutputPolicy
from ..runtime.figures import named
from ..runtime.letters import Put
from ..runtime.limits import limits_of
from ..runtime.operators.set_time import TimeReport
from ..runtime.policies import TimePolicy
from ..runtime.readers import InputReader, Reading
from ..runtime.references import ReferenceData
from ..runtime.runner import JobStatus, Runner
from ..runtime.taken import Taken
from ..runtime.view import JobView, TimedReader, Watching
from ..runtime.writers import OutputWriter
from ..settings import Settings
from ..summary import CheckpointOutcome, JobSummary

if TYPE_CHECKING:
    from ..udf.dead_letters import DeadLetters
    from .continued import Checkpointing, Continued


@dataclass
class LocalJob:
    """A plan and what it needs to run here.

    Attributes:
        readings: how to open each input.
        start: the arrival time of events that bring none, in ticks.
        cut: for tests: yields the size of each next batch.
        restart: for tests: all operators are replaced by new ones after each batch.
        clocks: the clock, in ticks, of each live input, by which its events arrive.
        references: the reference data, by name.
        warn: told what a person should know while the job runs.
        letters: take the record of an event or row that is given up; None: it is lost.
        watching: who wants to see how the job goes.
        checkpointing: where and how checkpoints are taken; None: the job has none.
        stopping: set to end the job before its inputs end.
    """

    plan: Job
    readings: Mapping[str, Callable[[Position | None], Reading]]
    settings: Settings
    start: int
    cut: Iterator[int] | None = None
    restart: bool = False
    clocks: Mapping[str, Callable[[], int]] = field(default_factory=dict)
    references: Mapping[str, ReferenceData] = field(default_factory=dict)
    watching: Watching | None = None
    letters: DeadLetters | None = None
    warn: Callable[[str], None] | None = None
    checkpointing: Checkpointing | None = None
    stopping: threading.Event = field(default_factory=threading.Event)


@dataclass
class Opened:
    """The outputs of a job: given objects, or URIs (or sinks) that are opened when the job runs."""

    targets: dict[str, Any] = field(default_factory=dict)
    uris: dict[str, str | Sink] = field(default_factory=dict)

    @classmethod
    def of_uris(
        cls,
        outputs: Sequence[str],
        given: Mapping[str, str | Sink],
        directory: str | None,
        default: str,
    ) -> Opened:
        """Return where each output goes. Raises UsageError for a name that is no output."""
        known = {name.lower(): name for name in outputs}
        uris: dict[str, str | Sink] = {}
        for name, uri in given.items():
            if name.lower() not in known:
                hint = suggest(name, outputs) or "there is " + ", ".join(outputs)
                raise UsageError(f"the query has no output {name}", hint=hint)
            uris[known[name.lower()]] = uri
        for name in outputs:
            if name not in uris:
                uris[name] = default if directory is None else file_in_directory(directory, name)
        return cls(uris=uris)

    def writers(
        self, allowed_hosts: Sequence[str] | None = None, keep: bool = False
    ) -> dict[str, Any]:
        """Open the outputs and return something that takes batches for each of them.

        Outputs with one URI share one writer. They may be on `allowed_hosts`; None: on any. With
        `keep` what is there stays for `resume`.
        """
        writers: dict[str, Any] = dict(self.targets)
        by_uri: dict[str | Sink, OutputWriter] = {}
        for name, uri in self.uris.items():
            if uri not in by_uri:
                sink = (
                    uri if isinstance(uri, Sink) else open_sink(uri, None, allowed_hosts, keep=keep)
                )
                by_uri[uri] = OutputWriter(name, sink)
            writers[name] = Counted(by_uri[uri])
        return writers


class Counted:
    """One output's share of a writer."""

    def __init__(self, writer: OutputWriter) -> None:
        self.writer = writer
        self.rows = 0

    def put(self, batch: Any) -> None:
        self.rows += batch.count
        self.writer.put(batch)

    def finish(self) -> None:
        """Finish the writer; a second call does nothing."""
        self.writer.finish()


def run_local(
    job: LocalJob, outputs: Opened, on_progress: Callable[[JobStatus], None] | None = None
) -> JobSummary:
    """Run a job to the end of its inputs and return what it did. Raises RunError."""
    if job.checkpointing is None:
        return _run(job, outputs, on_progress, None)
    from .continued import Continued

    found = job.checkpointing.open()
    try:
        return _run(job, outputs, on_progress, None if found is None else Continued(found))
    finally:
        job.checkpointing.store.close()


def _run(
    job: LocalJob,
    outputs: Opened,
    on_progress: Callable[[JobStatus], None] | None,
    continued: Continued | None,
) -> JobSummary:
    began = time.monotonic()
    if continued is not None:
        job.start = continued.checkpoint.start
    progress = threading.Event()
    put = None if job.letters is None else job.letters.put
    readers = _readers(job, progress.set, put)
    reports = reports_of(readers)
    if continued is not None:
        continued.give(readers)
        continued.tell_changed(job.references, job.warn)
    writers = outputs.writers(job.settings.allowed_hosts, job.checkpointing is not None)
    delivery = OutputPolicy(job.settings.output_errors, put, job.warn)
    opened = [writer.writer for writer in writers.values() if isinstance(writer, Counted)]
    for writer in opened:
        writer.use(delivery)
    watched = None if job.watching is None else JobView(readers, writers, job.watching, delivery)
    graph = build(
        job.plan,
        Surroundings(
            _targets(job, writers, watched),
            opener_of_scorers(job.settings, progress.set),
            reports,
            job.settings,
            job.start,
            {name: time_policy(job.settings, name in job.clocks) for name in readers},
            job.references,
        ),
    )
    limits = limits_of(named(graph.nodes), job.settings, watched is not None)
    if watched is not None:
        watched.begin(graph, limits)

    def turned(status: JobStatus) -> None:
        limits.check()
        for writer in opened:
            writer.check()  # no further row may come that would tell
        if watched is not None:
            watched.turned(runner.checkpoints.saved if runner.checkpoints else None)
        if on_progress is not None:
            on_progress(status)

    runner = Runner(graph, readers, writers, progress, turned, job.restart)
    runner.stopping = job.stopping
    runner.on_failure = delivery.stopped.set
    with limits:
        checkpoints = _to_the_end(job, runner, continued, watched)
    return JobSummary(
        {name: reader.counts for name, reader in readers.items()},
        {name: writer.rows for name, writer in writers.items()},
        time.monotonic() - began,
        outputs=_accounts(writers),
        checkpoints=checkpoints,
    )


def _readers(job: LocalJob, wake: Callable[[], None], put: Put | None) -> dict[str, InputReader]:
    """Return the readers of a job; `wake` is called when one has something."""
    reads = what_is_read(job.plan)
    kind = InputReader if job.watching is None else TimedReader
    readers = {
        name: kind(
            name,
            open_,
            job.settings,
            job.start,
            wake,
            job.cut,
            reads[name],
            job.clocks.get(name),
        )
        for name, open_ in job.readings.items()
    }
    if job.settings.input_errors == "dead_letter":
        for reader in readers.values():
            reader.letters.put = put
    return readers


def reports_of(readers: Mapping[str, InputReader]) -> dict[str, TimeReport]:
    """Return where operators tell what became of the times of each input's events."""
    return {
        name: TimeReport(reader.counts.invalid_time, reader.counts.times, reader.letters)
        for name, reader in readers.items()
    }


def opener_of_scorers(settings: Settings, wake: Callable[[], None]) -> Callable[[Any], Any]:
    """Return what opens a remote function; `wake` is called when answers have come."""

    def open_scorer(function: Any) -> Any:
        scorer = function.partitioned(settings.partitions)
        scorer.on_progress = wake
        return scorer

    return open_scorer


def _targets(
    job: LocalJob, writers: Mapping[str, Any], watched: JobView | None
) -> Mapping[str, Any]:
    """Return what takes the batches of each output; delays are measured in live jobs only."""
    if watched is None or not job.clocks:
        return writers
    return {name: watched.timed(name, writer) for name, writer in writers.items()}


def _to_the_end(
    job: LocalJob, runner: Runner, continued: Continued | None, watched: JobView | None
) -> CheckpointOutcome | None:
    """Run to the end of the inputs; return what became of the checkpoints, if there are any."""
    if job.checkpointing is None:
        runner.run()
        return None
    from .continued import run_checkpointed

    record = Taken() if watched is None else watched.taken
    return run_checkpointed(
        job.checkpointing, continued, runner, job.start, record, job.letters, job.references
    )


def _accounts(writers: Mapping[str, Any]) -> dict[str, OutputAccount]:
    """Return where the rows of the outputs went."""
    found: dict[str, OutputAccount] = {}
    for share in writers.values():
        if isinstance(share, Counted):
            writer = share.writer
            before = found.get(writer.name, OutputAccount(0, writer.written, writer.dropped))
            found[writer.name] = replace(before, rows=before.rows + share.rows)
    return found


def time_policy(settings: Settings, live: bool) -> TimePolicy | None:
    """Return the time policy of an input; None if no time setting is given.

    Out-of-order tolerance is zero unless it is set; without a late-arrival tolerance
    arrival times do not matter. A live input always has a policy: its end may never come.
    """
    given = (settings.late_arrival, settings.out_of_order, settings.policy)
    if not live and all(value is None for value in given):
        return None
    return TimePolicy(settings.late_arrival, settings.out_of_order or 0, settings.policy == "drop")
