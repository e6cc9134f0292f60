"""Analytic functions leave the expressions and are computed by operators of their own.

They look at the query's input: before WHERE, before join conditions and before grouping (language
11). A function of one relation of a join is computed on that relation's stream, before the join.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..batch import MAIN
from ..expressions.nodes import ANALYTIC, Analytic, Expr, Field, Timestamp, Whole, rebuild, walk
from ..plan.nodes import Analyze, Join, Lookup, Plan, Unnest


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
        found, self.found = self.found, []
        groups: dict[str | None, list[tuple[str, Analytic]]] = {}
        for name, call in found:
            groups.setdefault(_owner(call), []).append((name, call))
        for owner, calls in groups.items():
            plan = _compute(plan, owner, tuple(calls))
        return plan


def _owner(call: Analytic) -> str | None:
    """Return the only relation a function looks at, None if it looks at several or at none."""
    relations = {e.relation for e in walk(call) if isinstance(e, Field | Whole)}
    if any(isinstance(e, Timestamp) for e in walk(call)):
        return None
    return relations.pop() if len(relations) == 1 else None


def _compute(plan: Plan, owner: str | None, calls: tuple[tuple[str, Analytic], ...]) -> Plan:
    placed = None if owner in (None, MAIN) else _below(plan, owner or "", calls)
    return Analyze(plan, calls) if placed is None else placed


def _below(plan: Plan, owner: str, calls: tuple[tuple[str, Analytic], ...]) -> Plan | None:
    """Return the plan with the functions computed below the join that names the relation."""
    match plan:
        case Join(left=left, right=right):
            if plan.left_key == owner:
                return replace(plan, left=Analyze(left, _of_main(calls, owner)))
            if plan.right_key == owner:
                return replace(plan, right=Analyze(right, _of_main(calls, owner)))
            inner = _below(left, owner, calls)
            return None if inner is None else replace(plan, left=inner)
        case Lookup(source=source):
            if plan.left_key == owner:
                return replace(plan, source=Analyze(source, _of_main(calls, owner)))
            inner = _below(source, owner, calls)
            return None if inner is None else replace(plan, source=inner)
        case Unnest(source=source):
            inner = _below(source, owner, calls)
            return None if inner is None else replace(plan, source=inner)
        case _:
            return None


def _of_main(
    calls: tuple[tuple[str, Analytic], ...], owner: str
) -> tuple[tuple[str, Analytic], ...]:
    """Return the calls as they read before the join names the relation."""

    def rename(expr: Expr) -> Expr:
        if isinstance(expr, Field | Whole) and expr.relation == owner:
            return replace(expr, relation=MAIN)
        return rebuild(expr, rename)

    renamed = [(name, rename(call)) for name, call in calls]
    return tuple((name, call) for name, call in renamed if isinstance(call, Analytic))
