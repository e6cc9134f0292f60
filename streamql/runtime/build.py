"""Plan to operators: the only place that knows both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from ..plan.nodes import (
    Analyze,
    Filter,
    Group,
    Job,
    Join,
    Lookup,
    Narrow,
    Plan,
    Project,
    Recognize,
    Scan,
    Score,
    SetTime,
    Union,
    Unnest,
    Write,
)
from ..settings import Settings
from .graph import Graph, Node
from .names import names_of
from .operator import Operator
from .operators.arrival import ArrivalOperator
from .operators.call import CallOperator
from .operators.filter import FilterOperator
from .operators.narrow import NarrowOperator
from .operators.project import ProjectOperator
from .operators.score import ScoreOperator
from .operators.set_time import Order, SetTimeOperator, TimeReport
from .operators.union import UnionOperator
from .operators.unnest import UnnestOperator
from .operators.write import Target, WriteOperator
from .order import free_of_order, keeps_no_rows, needed_order
from .policies import TimePolicy
from .references import ReferenceData


@dataclass
class Surroundings:
    """What the operators of a job touch outside of it.

    Attributes:
        targets: the outputs, by name.
        open_scorer: opens a remote function.
        reports: where what happens to the times of an input's events is told, by input.
        settings: of the job.
        start: the time of events that bring no arrival, in ticks.
        policies: the time policy of each input; None for files that are taken as they are.
        references: the reference data, by name.
    """

    targets: Mapping[str, Target]
    open_scorer: Callable[[Any], Any]
    reports: Mapping[str, TimeReport]
    settings: Settings
    start: int
    policies: Mapping[str, TimePolicy | None] = field(default_factory=dict)
    references: Mapping[str, ReferenceData] = field(default_factory=dict)


def build(job: Job, surroundings: Surroundings) -> Graph:
    """Return the operators of a job; a plan node that several read becomes one operator."""
    return _Builder(job, surroundings).graph()


@dataclass
class _Builder:
    job: Job
    around: Surroundings

    def __post_init__(self) -> None:
        self._built: dict[int, Node] = {}
        self._graph = Graph([], {name: [] for name in self.job.inputs})
        self._names = names_of(self.job)
        self._unordered = free_of_order(self.job)
        self._orders = needed_order(self.job, any(self.around.policies.values()))

    def graph(self) -> Graph:
        for write in self.job.writes:
            self._node(write)
        return self._graph

    def _node(self, plan: Plan) -> Node:
        known = self._built.get(id(plan))
        if known is not None:
            return known
        timed = isinstance(plan, SetTime) or (isinstance(plan, Narrow) and plan.timed)
        by_arrival = self.around.settings.arrival_field and not timed
        inputs: list[Scan | Node] = []
        for source in plan.inputs:
            if not isinstance(source, Scan):
                inputs.append(self._node(source))
            else:
                inputs.append(self._arrivals(source) if by_arrival else source)
        node = self._add(plan, len(inputs))
        for port, above in enumerate(inputs):
            if isinstance(above, Scan):
                self._graph.entries[above.input].append((node, port))
            else:
                above.below.append((node, port))
        return node

    def _add(self, plan: Plan, ports: int) -> Node:
        node = Node(lambda: self._operator(plan), ports, str(plan), plan, key=self._names[id(plan)])
        self._built[id(plan)] = node
        self._graph.nodes.append(node)
        return node

    def _arrivals(self, scan: Scan) -> Node:
        """Return the node that puts an input in order of arrival; one for all who read it."""
        known = self._built.get(id(scan))
        if known is not None:
            return known
        node = self._add(scan, 1)
        self._graph.entries[scan.input].append((node, 0))
        return node

    def _operator(self, plan: Plan) -> Operator:
        match plan:
            case Scan():
                return ArrivalOperator(self.around.start)
            case Narrow(names=names, time=time):
                return NarrowOperator(names, time)
            case Filter(predicate=predicate):
                return FilterOperator(predicate)
            case Project(items=items):
                return ProjectOperator(items)
            case Unnest(function=function, argument=argument, alias=alias, outer=outer):
                return UnnestOperator(function, argument, alias, outer)
            case SetTime():
                return self._set_time(plan)
            case Score(name=name, call=call, guard=guard) if call.function.drops:
                return CallOperator(name, call, guard)
            case Score(name=name, call=call, guard=guard):
                scorer = self.around.open_scorer(call.function)
                return ScoreOperator(name, call, guard, scorer, id(plan) in self._unordered)
            case Analyze() | Recognize() | Group() | Join() | Lookup():
                return self._stateful(plan)
            case Union(sources=sources):
                return UnionOperator(len(sources))
            case Write(output=output):
                return WriteOperator(self.around.targets[output])
            case _:
                assert_never(plan)

    def _stateful(self, plan: Analyze | Recognize | Group | Join | Lookup) -> Operator:
        """Return an operator that a job without it need not load."""
        match plan:
            case Analyze(calls=calls):
                from .operators.analyze import AnalyzeOperator

                return AnalyzeOperator(calls)
            case Recognize():
                from .operators.recognize import RecognizeOperator

                return RecognizeOperator(plan)
            case Group(windows=windows, keys=keys, aggregations=aggregations):
                from .operators.group import GroupOperator

                return GroupOperator(windows, keys, aggregations, keeps_no_rows(plan))
            case Join():
                from .operators.join import JoinOperator

                return JoinOperator(plan)
            case Lookup(reference=reference, steps=steps):
                from .operators.lookup import LookupOperator

                made = [self._operator(step) for step in steps]
                return LookupOperator(plan, self.around.references[reference], made)

    def _set_time(self, plan: SetTime) -> Operator:
        return SetTimeOperator(
            plan.value,
            plan.over,
            self.around.policies.get(plan.input),
            self._orders.get(id(plan), Order.ANY),
            self.around.start,
            self.around.reports[plan.input],
        )
