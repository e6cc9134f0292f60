"""Runs a job on this machine: readers, operators and writers in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..connectors.catalog import open_sink
from ..errors import UsageError, suggest
from ..plan.nodes import Job
from ..runtime.build import build
from ..runtime.readers import InputReader, Reading
from ..runtime.runner import JobStatus, Runner
from ..runtime.writers import OutputWriter
from ..settings import Settings
from ..summary import JobSummary


@dataclass
class LocalJob:
    """A plan and what it needs to run here.

    Attributes:
        readings: how to open each input.
        start: the arrival time of events that bring none, in ticks.
        cut: for tests: yields the size of each next batch.
    """

    plan: Job
    readings: Mapping[str, Callable[[], Reading]]
    settings: Settings
    start: int
    cut: Iterator[int] | None = None


@dataclass
class Opened:
    """The outputs of a job: given objects, or URIs that are opened when the job runs."""

    targets: dict[str, Any] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_uris(
        cls,
        outputs: Sequence[str],
        given: Mapping[str, str],
        directory: str | None,
        default: str,
    ) -> Opened:
        """Return where each output goes. Raises UsageError for a name that is no output."""
        known = {name.lower(): name for name in outputs}
        uris = {}
        for name, uri in given.items():
            if name.lower() not in known:
                hint = suggest(name, outputs) or "there is " + ", ".join(outputs)
                raise UsageError(f"the query has no output {name}", hint=hint)
            uris[known[name.lower()]] = uri
        for name in outputs:
            other = default if directory is None else str(Path(directory) / f"{name}.jsonl")
            uris.setdefault(name, other)
        if directory is not None:
            Path(directory).mkdir(parents=True, exist_ok=True)
        return cls(uris=uris)

    def writers(self) -> dict[str, Any]:
        """Open the outputs and return something that takes batches for each of them.

        Outputs with one URI share one writer.
        """
        writers: dict[str, Any] = dict(self.targets)
        by_uri: dict[str, OutputWriter] = {}
        for name, uri in self.uris.items():
            if uri not in by_uri:
                by_uri[uri] = OutputWriter(name, open_sink(uri))
            writers[name] = _Counted(by_uri[uri])
        return writers


class _Counted:
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
    began = time.monotonic()
    progress = threading.Event()
    readers = {
        name: InputReader(name, open_, job.settings, job.start, progress.set, job.cut)
        for name, open_ in job.readings.items()
    }

    def open_scorer(function: Any) -> Any:
        scorer = function.open()
        scorer.on_progress = progress.set
        return scorer

    def on_invalid_time(name: str, count: int, first: int) -> None:
        counts = readers[name].counts
        counts.first_invalid_time = counts.first_invalid_time or first
        counts.invalid_times += count

    writers = outputs.writers()
    graph = build(job.plan, writers, open_scorer, on_invalid_time)
    Runner(graph, readers, writers, progress, on_progress).run()
    return JobSummary(
        {name: reader.counts for name, reader in readers.items()},
        {name: writer.rows for name, writer in writers.items()},
        time.monotonic() - began,
    )
