"""Runs of a job with some events left out, and what leaves each operator in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..batch import MAIN, Batch
from ..engine import Engine
from ..errors import UsageError
from ..expressions.nodes import META
from ..plan.nodes import Write
from ..runtime.graph import Graph, Node
from ..runtime.view import JobView
from ..summary import JobSummary

RowKey: TypeAlias = tuple[int, str]
"""What tells a row from others: its time in ticks, and its relations as JSON."""

Left: TypeAlias = Mapping[str, Sequence[int]]
"""Numbers of events, by input, that are left out of a run."""


@dataclass
class Seen:
    """What was seen of one operator in one run.

    Attributes:
        out: the rows that left it.
        caught: the rows, among those asked for, that went into it.
    """

    out: Counter[RowKey] = field(default_factory=Counter)
    caught: list[Batch] = field(default_factory=list)


@dataclass
class Run:
    """One run: the graph, what was seen of each of its nodes, and the job's figures.

    `entered` are the rows that came from each input.
    """

    graph: Graph
    seen: list[Seen]
    entered: dict[str, Counter[RowKey]]
    summary: JobSummary


class Runs:
    """Runs a script again and again; models are asked once for each row.

    Raises UsageError for a script over an input that can be read only once.
    """

    def __init__(self, engine: Engine, script: str) -> None:
        self._engine = engine
        self._result = engine.sql(script)
        self.count = 0
        live = engine.inputs.live()
        for name in self.inputs:
            if name in live:
                raise UsageError(
                    f"the events of {name} can be read only once, and have to be read again",
                    hint="save them to a file and give that: --input " + name + "=events.jsonl",
                )
        engine.functions.remember_answers()
        engine.stop_clock()  # events that tell no time arrive when the job begins

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs of the script."""
        return self._result.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs of the script."""
        return self._result.outputs

    def rows(self, without: Left) -> dict[str, list[RowKey]]:
        """Return the rows of each output, in order, when some events are left out."""
        made: dict[str, list[RowKey]] = {name: [] for name in self.outputs}

        def watch(view: JobView) -> None:
            for node in view.graph.nodes:
                if isinstance(node.plan, Write):
                    _taken(node, partial(_listed, made[node.plan.output]))

        self._run(without, watch)
        return made

    def traced(self, without: Left, wanted: Sequence[Counter[RowKey]] | None = None) -> Run:
        """Run and return what left each operator; `wanted` are rows to catch where they go in."""
        run: list[Any] = []

        def watch(view: JobView) -> None:
            graph = view.graph
            seen = [Seen() for _ in graph.nodes]
            entered: dict[str, Counter[RowKey]] = {name: Counter() for name in graph.entries}
            for name, feeds in graph.entries.items():
                for node, _ in feeds[:1]:
                    _taken(node, partial(_counted, entered[name]))
            for at, node in enumerate(graph.nodes):
                listen = _taken if isinstance(node.plan, Write) else _listen
                listen(node, partial(_counted, seen[at].out))
                if wanted is not None and wanted[at]:
                    _taken(node, partial(_caught, seen[at].caught, wanted[at]))
            run.extend((graph, seen, entered))

        summary = self._run(without, watch)
        return Run(run[0], run[1], run[2], summary)

    def _run(self, without: Left, watch: Callable[[JobView], None]) -> JobSummary:
        self.count += 1
        self._engine.without = {name: np.asarray(n, np.int64) for name, n in without.items()}
        try:
            return self._result.each(lambda *_: None, watch)
        finally:
            self._engine.without = {}


def keys(batch: Batch) -> list[RowKey]:
    """Return what tells each row of a batch from others."""
    parts = [
        rows.record().to_json(marked=False).to_pylist()
        for key, rows in sorted(batch.relations.items())
        if not key.startswith(META) and (key == MAIN or len(rows))
    ]
    texts = parts[0] if len(parts) == 1 else ["\n".join(p) for p in zip(*parts, strict=True)]
    return list(zip(batch.times.tolist(), texts, strict=True))


def only(batch: Batch, wanted: Counter[RowKey]) -> Batch:
    """Return the rows of a batch that are wanted."""
    return batch.filter(np.array([key in wanted for key in keys(batch)], bool))


def _listed(rows: list[RowKey], batch: Batch) -> None:
    rows += keys(batch)


def _counted(rows: Counter[RowKey], batch: Batch) -> None:
    rows.update(keys(batch))


def _caught(caught: list[Batch], wanted: Counter[RowKey], batch: Batch) -> None:
    caught.append(only(batch, wanted))


def _listen(node: Node, tell: Callable[[Batch], None]) -> None:
    """Have somebody told of each batch that leaves an operator."""
    push = node.push

    def told(batches: Any) -> Iterator[Batch]:
        for batch in batches:
            tell(batch)
            yield batch

    node.push = lambda batches: push(told(batches))  # type: ignore[method-assign]


def _taken(node: Node, tell: Callable[[Batch], None]) -> None:
    """Have somebody told of each batch that goes into an operator."""
    take = node.take

    def told(batch: Batch, port: int) -> None:
        tell(batch)
        take(batch, port)

    node.take = told  # type: ignore[method-assign]
