"""What became of one event: what it changed at each step, and where it came to nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..batch import Batch
from ..plan.nodes import Analyze, Group, Narrow, Scan, Write
from ..runtime.graph import Node
from .decisions import time_decision
from .reasons import reason
from .runs import RowKey, Run, Runs

Rows: TypeAlias = list[RowKey]
Found: TypeAlias = tuple[str | None, str | None]
"""An event as JSON, and what makes it malformed: one of the two is None."""


@dataclass(frozen=True)
class Step:
    """What an event did at one operator.

    Attributes:
        name: the operator.
        more, fewer: rows that leave it because of the event, and that leave it without the event
            only.
        inner: the rows are those of an operator whose results the next ones put into words.
        end: why nothing leaves it; None where something does.
    """

    name: str
    more: Rows = field(default_factory=list)
    fewer: Rows = field(default_factory=list)
    inner: bool = False
    end: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Fate:
    """What became of an event.

    Attributes:
        input, event: which one.
        row: the event as it came in; None where it could not be read.
        refused: why it could not be read.
        fits: whether it is what CREATE TABLE declares.
        time: what was decided about its time, in words; None where it has none of its own.
        steps: the operators that it reached, in their order.
        outputs: the rows of each output that are there because of it (+) or would be without (-).
    """

    input: str
    event: int
    row: str | None
    refused: str | None
    fits: bool
    time: str | None
    steps: tuple[Step, ...]
    outputs: dict[str, tuple[Rows, Rows]]


def fate_of(runs: Runs, script: str, name: str, event: int, found: Found) -> Fate:
    """Run with and without an event, and tell what it changed."""
    whole = runs.traced({})
    less = runs.traced({name: [event]})
    entered = whole.entered[name] - less.entered[name]
    changes = [
        (list((w.out - o.out).elements()), list((o.out - w.out).elements()))
        for w, o in zip(whole.seen, less.seen, strict=True)
    ]
    nodes = whole.graph.nodes
    reached = [_reaching(whole, at, name, entered, changes) for at in range(len(nodes))]
    ends = [bool(r) and not any(changes[at]) for at, r in enumerate(reached)]
    caught = _caught(runs, reached, ends)
    decided = time_decision(name, whole.summary, less.summary)
    steps = []
    for at, node in enumerate(nodes):
        more, fewer = changes[at]
        if not reached[at] or (not ends[at] and isinstance(node.plan, Scan | Narrow | Write)):
            continue
        end = tuple(reason(node.plan, caught[at], script, decided)) if ends[at] else None
        inner = isinstance(node.plan, Group | Analyze)
        steps.append(Step(node.name, more, fewer, inner, end))
    outputs = {
        node.plan.output: changes[at]
        for at, node in enumerate(nodes)
        if isinstance(node.plan, Write) and any(changes[at])
    }
    row, refused = found
    fits = row is None or bool(entered)
    return Fate(name, event, row, refused, fits, decided, tuple(steps), outputs)


def _reaching(
    run: Run,
    at: int,
    name: str,
    entered: Counter[RowKey],
    changes: Sequence[tuple[Rows, Rows]],
) -> Counter[RowKey]:
    """Return the rows that go into an operator because of the event."""
    node = run.graph.nodes[at]
    into: Counter[RowKey] = Counter()
    if any(feeding is node for feeding, _ in run.graph.entries[name]):
        into += entered
    for above, (more, _) in zip(run.graph.nodes, changes, strict=True):
        if _feeds(above, node):
            into += Counter(more)
    return into


def _feeds(above: Node, node: Node) -> bool:
    return any(below is node for below, _ in above.below)


def _caught(
    runs: Runs, reached: Sequence[Counter[RowKey]], ends: Sequence[bool]
) -> list[Batch | None]:
    """Run once more where the event came to nothing, for the rows that went in there."""
    wanted = [r if end else Counter() for r, end in zip(reached, ends, strict=True)]
    if not any(wanted):
        return [None] * len(reached)
    run = runs.traced({}, wanted)
    return [next(_some(seen.caught), None) for seen in run.seen]


def _some(batches: Sequence[Batch]) -> Iterator[Batch]:
    return (batch for batch in batches if batch.count)
