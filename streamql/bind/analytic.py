"""Analytic functions leave the expressions and are computed by operators of their own.

They look at the query's input: before WHERE, before join conditions and before grouping. A
function of one relation of a join is computed on that relation's stream, before the join. One that
looks at none is computed before reference data is joined, which are no events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..batch import MAIN
from ..errors import BindError
from ..expressions.nodes import (
    ANALYTIC,
    META,
    TIMES,
    Analytic,
    Expr,
    Field,
    Timestamp,
    Whole,
    rebuild,
    walk,
)
from ..plan.nodes import Analyze, Join, Lookup, Plan, Unnest

Calls = tuple[tuple[str, Analytic], ...]
"""Functions and the names of their results."""


@dataclass
class Lifting:
    """The analytic functions of one SELECT; equal ones are computed once.

    `number` makes the names of their results unique in the script.
    """

    number: int = 0
    found: list[tuple[str, Analytic]] = field(default_factory=list)

    def lift(self, expr: Expr) -> Expr:
        """Return an expression with its analytic functions replaced by their results."""
        if not any(isinstance(e, Analytic) for e in walk(expr)):
            return expr
        if isinstance(expr, Analytic):
            for name, known in self.found:
                if known == expr:
                    return Field(expr.type, expr.span, ANALYTIC, (name,))
            name = f"f{self.number}"
            self.number += 1
            self.found.append((name, expr))
            return Field(expr.type, expr.span, ANALYTIC, (name,))
        return rebuild(expr, self.lift)

    def place(self, plan: Plan) -> Plan:
        """Return the plan of FROM with the functions found so far computed in it."""
        for relations, timed, calls in self._groups():
            plan = _compute(plan, relations, timed, calls)
        return plan

    def place_below(self, join: Join | Lookup) -> Join | Lookup:
        """Return a join with the functions of its own condition computed on its sides.

        Raises BindError for a function that is not of one side, or of reference data.
        """
        for relations, timed, calls in self._groups():
            if isinstance(join, Join) and relations == {join.right_key}:
                calls = _of_main(calls, join.right_key)
                join = replace(join, right=Analyze(join.right, calls))
                continue
            if join.right_key in relations or (isinstance(join, Join) and not relations):
                raise BindError(
                    "an analytic function in ON looks at the events of one side",
                    calls[0][1].span,
                    "compute it in a step over the stream, and join the step",
                )
            if join.left_key is not None:
                calls = _of_main(calls, join.left_key)
                relations = frozenset(MAIN if r == join.left_key else r for r in relations)
            if isinstance(join, Join):
                join = replace(join, left=_compute(join.left, relations, timed, calls))
            else:
                join = replace(join, source=_compute(join.source, relations, timed, calls))
        return join

    def _groups(self) -> Iterator[tuple[frozenset[str], bool, Calls]]:
        """Take out the functions found so far, by the relations they look at."""
        found, self.found = self.found, []
        groups: dict[tuple[frozenset[str], bool], list[tuple[str, Analytic]]] = {}
        for name, call in found:
            groups.setdefault(_looked_at(call), []).append((name, call))
        for (relations, timed), calls in groups.items():
            yield relations, timed, tuple(calls)


def _looked_at(call: Analytic) -> tuple[frozenset[str], bool]:
    """Return the relations a function looks at, and whether it looks at the time of the row."""
    found = {_relation(e) for e in walk(call) if isinstance(e, Field | Whole)}
    return frozenset(found), any(isinstance(e, Timestamp) for e in walk(call))


def _relation(expr: Field | Whole) -> str:
    """Return the relation of a column, of the message it came with or of the time it has."""
    if expr.relation == TIMES and isinstance(expr, Field):
        return expr.path[0]
    if expr.relation == META:
        return MAIN
    return expr.relation.removeprefix(f"{META}.")


def _compute(plan: Plan, relations: frozenset[str], timed: bool, calls: Calls) -> Plan:
    if not relations:
        return _before_lookups(plan, calls)
    if len(relations) > 1 or MAIN in relations:
        return Analyze(plan, calls)
    placed = _below(plan, next(iter(relations)), timed, calls)
    return Analyze(plan, calls) if placed is None else placed


def _before_lookups(plan: Plan, calls: Calls) -> Plan:
    match plan:
        case Lookup(source=source) | Analyze(source=source):
            return replace(plan, source=_before_lookups(source, calls))
        case _:
            return Analyze(plan, calls)


def _below(plan: Plan, owner: str, timed: bool, calls: Calls) -> Plan | None:
    """Return the plan with the functions computed below the join that names the relation.

    None where there is no such join, or where it gives the rows other times that are asked for.
    """
    match plan:
        case Join() if timed:
            return None
        case Join(left=left, right=right):
            if plan.left_key == owner:
                return replace(plan, left=Analyze(left, _of_main(calls, owner)))
            if plan.right_key == owner:
                return replace(plan, right=Analyze(right, _of_main(calls, owner)))
            inner = _below(left, owner, timed, calls)
            return None if inner is None else replace(plan, left=inner)
        case Lookup(source=source):
            if plan.left_key == owner:
                return replace(plan, source=Analyze(source, _of_main(calls, owner)))
            inner = _below(source, owner, timed, calls)
            return None if inner is None else replace(plan, source=inner)
        case Unnest(source=source) | Analyze(source=source):
            inner = _below(source, owner, timed, calls)
            return None if inner is None else replace(plan, source=inner)
        case _:
            return None


def _of_main(calls: Calls, owner: str) -> Calls:
    """Return the calls as they read before the join names the relation."""

    def rename(expr: Expr) -> Expr:
        if not isinstance(expr, Field | Whole) or _relation(expr) != owner:
            return rebuild(expr, rename)
        if expr.relation == TIMES:
            return Timestamp(expr.type, expr.span)
        return replace(expr, relation=MAIN if expr.relation == owner else META)

    renamed = [(name, rename(call)) for name, call in calls]
    return tuple((name, call) for name, call in renamed if isinstance(call, Analytic))
