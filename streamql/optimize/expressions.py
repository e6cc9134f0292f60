"""Rewriting the expressions of a plan node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..expressions.nodes import Expr
from ..plan.nodes import Filter, Plan, Project, SetTime, Unnest


def map_expressions(plan: Plan, change: Callable[[Expr], Expr]) -> Plan:
    """Return the node with `change` applied to its expressions; itself when nothing changed."""
    match plan:
        case Filter(predicate=old):
            new = change(old)
            return plan if new is old else replace(plan, predicate=new)
        case SetTime(value=old):
            new = change(old)
            return plan if new is old else replace(plan, value=new)
        case Unnest(argument=old):
            new = change(old)
            return plan if new is old else replace(plan, argument=new)
        case Project(items=items):
            changed = tuple((name, change(value)) for name, value in items)
            same = all(new is old for (_, new), (_, old) in zip(changed, items, strict=True))
            return plan if same else replace(plan, items=changed)
        case _:
            return plan
