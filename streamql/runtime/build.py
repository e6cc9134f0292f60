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
    built: dict[int, Node] = {}
    graph = Graph([], {name: [] for name in job.inputs})

    def operator_of(plan: Plan) -> Operator:
        match plan:
            case Filter(predicate=predicate):
                return FilterOperator(predicate)
            case Project(items=items):
                return ProjectOperator(items)
            case Unnest(function=function, argument=argument, alias=alias, outer=outer):
                return UnnestOperator(function, argument, alias, outer)
            case SetTime(value=value, input=name):
                return SetTimeOperator(value, lambda n, first: on_invalid_time(name, n, first))
            case Score(name=name, call=call, guard=guard):
                return ScoreOperator(name, call, guard, open_scorer(call.function))
            case Union():
                return UnionOperator()
            case Write(output=output):
                return WriteOperator(targets[output])
            case Scan():
                raise AssertionError("a scan has no operator")
            case _:
                assert_never(plan)

    def node_of(plan: Plan) -> Node:
        known = built.get(id(plan))
        if known is not None:
            return known
        inputs = [p if isinstance(p, Scan) else node_of(p) for p in plan.inputs]
        node = built[id(plan)] = Node(operator_of(plan))
        for port, source in enumerate(inputs):
            if isinstance(source, Scan):
                graph.entries[source.input].append((node, port))
            else:
                source.below.append((node, port))
        graph.nodes.append(node)
        return node

    for write in job.writes:
        node_of(write)
    return graph
