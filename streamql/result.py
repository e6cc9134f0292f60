"""What an engine returns for a query: its rows, or a job that writes them itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pyarrow as pa

from .batch import MAIN, Batch
from .column import Column, from_values
from .errors import UsageError
from .plan.nodes import Job as Plan
from .rows import ColumnRows, concat_rows
from .runtime.runner import JobStatus
from .runtime.view import JobView
from .summary import JobSummary

Watch = Callable[[JobView], None]
Run = Callable[[dict[str, Any], Watch | None], JobSummary]
_END = object()


def row_dicts(batch: Batch) -> list[dict[str, Any]]:
    """Return the rows of a batch as Python dicts."""
    rows = batch.relations[MAIN]
    if isinstance(rows, ColumnRows) and not rows.absent:
        lists = [column.to_pylist() for column in rows.columns.values()]
        names = list(rows.columns)
        return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True)]
    return list(rows.record().to_pylist())


class _Collected:
    """An output that keeps its batches."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.rows = 0

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)
        self.rows += batch.count

    def finish(self) -> None:
        """Nothing is left to be done."""


class _Told:
    """An output whose rows are told to somebody as they come."""

    def __init__(self, name: str, take: Callable[[str, list[dict[str, Any]]], None]) -> None:
        self.rows = 0
        self._name = name
        self._take = take

    def put(self, batch: Batch) -> None:
        self.rows += batch.count
        self._take(self._name, row_dicts(batch))

    def finish(self) -> None:
        """Nothing is left to be done."""


class _StoppedError(Exception):
    """The reader of the rows went away."""


class _Handed:
    """An output whose batches another thread takes, a few at a time."""

    def __init__(self, ready: queue.Queue[Any], stopped: threading.Event) -> None:
        self._ready = ready
        self._stopped = stopped
        self.rows = 0

    def put(self, batch: Batch) -> None:
        self.rows += batch.count
        _hand(self._ready, batch, self._stopped)

    def finish(self) -> None:
        """The end is told once, when the job has ended."""


def _hand(ready: queue.Queue[Any], item: Any, stopped: threading.Event) -> None:
    while not stopped.is_set():
        try:
            ready.put(item, timeout=0.1)
        except queue.Full:
            continue
        return
    raise _StoppedError


class Result:
    """The rows of a query. Each way to read them runs the query anew.

    Iterating gives one dict per row as soon as it is there, also over endless inputs; `async for`
    does the same without blocking the event loop. A script with several outputs gives those of one:
    `result.output("alerts")`.
    """

    def __init__(
        self,
        run: Run,
        outputs: tuple[str, ...],
        chosen: str | None = None,
        inputs: tuple[str, ...] = (),
    ) -> None:
        self._run = run
        self.outputs = outputs
        self.inputs = inputs
        self._chosen = chosen

    def output(self, name: str) -> Result:
        """Return the rows of one output. Raises UsageError for an unknown name."""
        known = {o.lower(): o for o in self.outputs}
        if name.lower() not in known:
            raise UsageError(f"no output {name!r}", hint="there is " + ", ".join(self.outputs))
        return Result(self._run, self.outputs, known[name.lower()], self.inputs)

    def _name(self) -> str:
        if self._chosen is not None:
            return self._chosen
        if len(self.outputs) == 1:
            return self.outputs[0]
        raise UsageError(
            "the query has several outputs: " + ", ".join(self.outputs),
            hint=f"write result.output({self.outputs[0]!r})",
        )

    def each(
        self, take: Callable[[str, list[dict[str, Any]]], None], watch: Watch | None = None
    ) -> JobSummary:
        """Run in this thread; `take` gets the name of an output and rows of it as they come.

        Returns what the job did. What `take` raises ends the job and is raised here, and so is a
        KeyboardInterrupt. `watch` is given a view of the job before it begins.
        """
        return self._run({output: _Told(output, take) for output in self.outputs}, watch)

    def batches(self) -> list[Batch]:
        """Run to the end and return all batches of the output."""
        name = self._name()
        collected = _Collected()
        self._run({output: _Dropped() for output in self.outputs} | {name: collected}, None)
        return collected.batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self._handed():
            yield from row_dicts(batch)

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        import asyncio  # 10 ms that most jobs need not pay

        batches = self._handed()
        try:
            while True:
                batch = await asyncio.to_thread(next, batches, None)
                if batch is None:
                    return
                for row in row_dicts(batch):
                    yield row
        finally:
            await asyncio.to_thread(batches.close)

    def _handed(self) -> Any:
        """Yield batches that a thread of its own produces; it ends when nobody reads any more."""
        name = self._name()
        ready: queue.Queue[Any] = queue.Queue(2)
        stopped = threading.Event()
        targets: dict[str, Any] = {output: _Dropped() for output in self.outputs}
        targets[name] = _Handed(ready, stopped)

        def work() -> None:
            end: Any = _END
            try:
                self._run(targets, None)
            except _StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised where the rows are read
                end = error
            try:
                _hand(ready, end, stopped)
            except _StoppedError:
                return

        thread = threading.Thread(target=work, name="streamql job", daemon=True)
        thread.start()
        try:
            while True:
                item = ready.get()
                if item is _END:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()
            thread.join()

    def fetchall(self) -> list[dict[str, Any]]:
        """Run to the end and return all rows as dicts."""
        return [row for batch in self.batches() for row in row_dicts(batch)]

    def arrow(self) -> pa.Table:
        """Run to the end and return all rows as an Arrow table.

        Datetimes are timestamp[us, UTC]; columns of records and arrays are structs and lists where
        all values agree, else JSON text; so are columns of mixed types.
        """
        from .formats.table import to_arrow

        batches = self.batches()
        if not batches:
            return pa.table({})
        rows = concat_rows([b.relations[MAIN] for b in batches])
        if isinstance(rows, ColumnRows):
            return to_arrow(rows.columns)
        return to_arrow(_columns(rows.record()))

    def to_pandas(self) -> Any:
        """Run to the end and return all rows as a pandas DataFrame (needs `streamql[pandas]`)."""
        return self.arrow().to_pandas()

    def show(self, limit: int = 20) -> None:
        """Print the first rows as a table."""
        from rich.console import Console
        from rich.table import Table

        rows = []
        for row in self:
            rows.append(row)
            if len(rows) > limit:
                break
        names = list(dict.fromkeys(name for row in rows[:limit] for name in row))
        table = Table(*names)
        for row in rows[:limit]:
            table.add_row(*("" if row.get(n) is None else str(row[n]) for n in names))
        console = Console()
        console.print(table)
        if len(rows) > limit:
            console.print(f"the first {limit} rows; more follow")


class Job:
    """A compiled script with its outputs. Runs once."""

    def __init__(self, run: Callable[..., JobSummary], plan: Plan) -> None:
        self.plan = plan
        self._run = run
        self._stopping = threading.Event()

    def run(
        self,
        on_progress: Callable[[JobStatus], None] | None = None,
        watch: Callable[[JobView], None] | None = None,
    ) -> JobSummary:
        """Run to the end of the inputs and return what happened.

        `watch` is given a view of the job before it begins, which can be asked for figures and
        health from any thread.

        Raises RunError. KeyboardInterrupt stops the job: what was written stays, and it is raised
        again.
        """
        return self._run(self._stopping, on_progress, watch)

    def stop(self) -> None:
        """End the job before its inputs do, from another thread or a signal handler.

        A job with checkpoints takes one, from which the next run continues; another ends as at the
        end of its inputs.
        """
        self._stopping.set()


class _Dropped:
    """An output nobody reads."""

    rows = 0

    def put(self, batch: Batch) -> None:
        self.rows += batch.count

    def finish(self) -> None:
        """Nothing is left to be done."""


def _columns(records: Column) -> dict[str, Column]:
    values = records.to_pylist()
    names = dict.fromkeys(name for value in values for name in value)
    return {name: from_values([value.get(name) for value in values]) for name in names}
