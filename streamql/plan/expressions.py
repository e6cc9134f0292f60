"""The expressions of a plan node: finding them, and rewriting them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ..expressions.nodes import Aggregation, Analytic, Expr, rebuild, walk
from .nodes import (
    Analyze,
    Filter,
    Group,
    Join,
    Lookup,
    Plan,
    Project,
    Score,
    SetTime,
    Unnest,
)
from .windows import Session, Window

Change = Callable[[Expr], Expr]
P = TypeVar("P", bound=Plan)


def map_expressions(plan: P, change: Change) -> P:
    """Return the node with `change` applied to its expressions; itself when nothing changed."""
    changed: Any = {name: new for name, old, new in _parts(plan, change) if new != old}
    return replace(plan, **changed) if changed else plan


def expressions_of(plan: Plan) -> list[Expr]:
    """Return the expressions of a node."""
    found: list[Expr] = []

    def collect(expr: Expr) -> Expr:
        found.append(expr)
        return expr

    for _ in _parts(plan, collect):
        pass
    return found


def expressions_in(plan: Plan) -> Iterator[Expr]:
    """Yield the expressions that stand in a node, calls of its own kind too; not what is inside."""
    return _tops(plan)


def parts_of(plan: Plan) -> Iterator[Expr]:
    """Yield the expressions that stand in a node, and everything in them."""
    for expr in _tops(plan):
        yield from walk(expr)


def _tops(value: object) -> Iterator[Expr]:
    if isinstance(value, Expr):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _tops(item)
    elif is_dataclass(value):
        for part in fields(value):
            inner = getattr(value, part.name)
            if not isinstance(inner, Plan):
                yield from _tops(inner)


def _parts(plan: Plan, change: Change) -> Iterator[tuple[str, object, object]]:
    """Yield the fields of a node that hold expressions: name, value, changed value."""
    match plan:
        case Filter(predicate=predicate):
            yield "predicate", predicate, change(predicate)
        case SetTime(value=value, over=over):
            yield "value", value, change(value)
            yield "over", over, tuple(map(change, over))
        case Unnest(argument=argument):
            yield "argument", argument, change(argument)
        case Project(items=items):
            yield "items", items, tuple((name, change(value)) for name, value in items)
        case Score(guard=guard, call=call):
            yield "call", call, rebuild(call, change)
            yield "guard", guard, None if guard is None else change(guard)
        case Analyze(calls=calls):
            yield "calls", calls, tuple((name, _inside(call, change)) for name, call in calls)
        case Group(windows=windows, keys=keys, aggregations=aggregations):
            yield "windows", windows, tuple(_window(w, change) for w in windows)
            yield "keys", keys, tuple(map(change, keys))
            yield "aggregations", aggregations, tuple(_inside(a, change) for a in aggregations)
        case Join(keys=keys, condition=condition) | Lookup(keys=keys, condition=condition):
            yield "keys", keys, tuple((change(left), change(right)) for left, right in keys)
            yield "condition", condition, None if condition is None else change(condition)
        case _:
            return


def _inside(call: Analytic | Aggregation, change: Change) -> Expr:
    """Change the arguments of a call that its operator must go on seeing as what it is."""
    return rebuild(call, change)


def _window(window: Window, change: Change) -> Window:
    if not isinstance(window, Session):
        return window
    partition = tuple(map(change, window.partition))
    return window if partition == window.partition else replace(window, partition=partition)
