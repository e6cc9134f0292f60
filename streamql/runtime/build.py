"""Plan to operators: the only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from ..plan.nodes import (
    Filter,
    Job,
    Plan,
    Project,
    Scan,
    Score,
    SetTime,
    Union,
    Unnest,
    Write,
)
from .operator import Operator
from .operators.filter import FilterOperator
from .operators.project import ProjectOperator
from .operators.score import ScoreOperator
from .operators.set_time import SetTimeOperator
from .operators.union import UnionOperator
from .operators.unnest import UnnestOperator
from .operators.write import Target, WriteOperator


@dataclass(eq=False)
class Node:
    """An operator and where its batches go: (node, port) pairs."""

    operator: Operator
    below: list[tuple[Node, int]] = field(default_factory=list)


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


def build(
    job: Job,
    targets: Mapping[str, Target],
    open_scorer: Callable[[Any], Any],
    on_invalid_time: Callable[[str, int, int], None],
) -> Graph:
    """Return the operators of a job; a plan node that several read becomes one operator.

    `open_scorer` opens a remote function; `on_invalid_time` is told the input, how many events had
    no valid time, and the first of them.
    """
    return _Builder(job, targets, open_scorer, on_invalid_time).graph()


@dataclass
class _Builder:
    job: Job
    targets: Mapping[str, Target]
    open_scorer: Callable[[Any], Any]
    on_invalid_time: Callable[[str, int, int], None]

    def __post_init__(self) -> None:
        self._built: dict[int, Node] = {}
        self._graph = Graph([], {name: [] for name in self.job.inputs})

    def graph(self) -> Graph:
        for write in self.job.writes:
            self._node(write)
        return self._graph

    def _node(self, plan: Plan) -> Node:
        known = self._built.get(id(plan))
        if known is not None:
            return known
        inputs = [p if isinstance(p, Scan) else self._node(p) for p in plan.inputs]
        node = self._built[id(plan)] = Node(self._operator(plan))
        for port, source in enumerate(inputs):
            if isinstance(source, Scan):
                self._graph.entries[source.input].append((node, port))
            else:
                source.below.append((node, port))
        self._graph.nodes.append(node)
        return node

    def _operator(self, plan: Plan) -> Operator:
        match plan:
            case Filter(predicate=predicate):
                return FilterOperator(predicate)
            case Project(items=items):
                return ProjectOperator(items)
            case Unnest(function=function, argument=argument, alias=alias, outer=outer):
                return UnnestOperator(function, argument, alias, outer)
            case SetTime(value=value, input=name):
                return SetTimeOperator(value, lambda n, first: self.on_invalid_time(name, n, first))
            case Score(name=name, call=call, guard=guard):
                return ScoreOperator(name, call, guard, self.open_scorer(call.function))
            case Union():
                return UnionOperator()
            case Write(output=output):
                return WriteOperator(self.targets[output])
            case Scan():
                raise AssertionError("a scan has no operator")
            case _:
                assert_never(plan)
