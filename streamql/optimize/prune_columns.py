"""Rows that wait in joins, windows and for their order keep only the fields that are asked for.

Unlike the rules, this looks at the whole job: which fields of an input are needed depends on all
who read it. Where the whole event is needed, or nothing waits, rows stay as they are: their fields
are decoded when asked for, for the rows that are left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..batch import MAIN
from ..expressions.nodes import TIME, Expr, Field, Whole, walk
from ..plan.expressions import expressions_of
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
    Scan,
    Score,
    SetTime,
    Union,
    Unnest,
    Write,
)
from ..types import Type

Needs = dict[str, set[str] | None]
"""The fields needed of each relation; None: all of it."""
Done = dict[int | tuple[int, bool, tuple[str, ...] | None], Plan]


def prune_columns(job: Job) -> Job:
    """Return the job with inputs narrowed where their rows wait."""
    order: list[Plan] = []
    seen: set[int] = set()
    for write in job.writes:
        _visit(write, order, seen)
    needs: dict[int, Needs] = {id(p): {} for p in order}
    waits: dict[int, bool] = {id(p): False for p in order}
    for plan in reversed(order):
        below = waits[id(plan)] or isinstance(plan, Join | Union | Analyze | Group)
        for number, source in enumerate(plan.inputs):
            _merge(needs[id(source)], _asked(plan, needs[id(plan)], number))
            waits[id(source)] |= below
    done: Done = {}
    writes = tuple(_rebuilt(w, needs, waits, done) for w in job.writes)
    return replace(job, writes=tuple(w for w in writes if isinstance(w, Write)))


def _visit(plan: Plan, order: list[Plan], seen: set[int]) -> None:
    """Put a plan behind all that it reads."""
    if id(plan) in seen:
        return
    seen.add(id(plan))
    for source in plan.inputs:
        _visit(source, order, seen)
    order.append(plan)


def _asked(plan: Plan, own: Needs, number: int) -> Needs:
    """Return what a node asks of one of its inputs."""
    expressions = expressions_of(plan)
    if isinstance(plan, SetTime) and _time_of(plan) is not None:
        expressions = list(plan.over)  # the time has a column of its own
    asked = _of_expressions(expressions)
    match plan:
        case Project() | Group():
            return asked
        case Filter() | SetTime() | Score() | Analyze() | Unnest() | Narrow():
            _merge(asked, own)
            return asked
        case Join() | Lookup():
            _merge(asked, own)
            key = plan.right_key if number else plan.left_key
            if key is not None:
                asked[MAIN] = asked.pop(key, set())
            return asked
        case Union():
            return dict(own)
        case _:
            return {MAIN: None}


def _of_expressions(expressions: Iterable[Expr]) -> Needs:
    needs: Needs = {}
    for expr in expressions:
        for part in walk(expr):
            if isinstance(part, Whole):
                needs[part.relation] = None
            elif isinstance(part, Field):
                _merge(needs, {part.relation: {part.path[0]}})
    return needs


def _merge(into: Needs, more: Needs) -> None:
    for relation, names in more.items():
        known = into.setdefault(relation, set())
        into[relation] = None if known is None or names is None else known | names


def _rebuilt(plan: Plan, needs: dict[int, Needs], waits: dict[int, bool], done: Done) -> Plan:
    known = done.get(id(plan))
    if known is not None:
        return known
    inputs = tuple(
        _narrow(p, plan, needs, waits, done)
        if isinstance(p, Scan)
        else _rebuilt(p, needs, waits, done)
        for p in plan.inputs
    )
    same = all(new is old for new, old in zip(inputs, plan.inputs, strict=True))
    made = plan if same else plan.with_inputs(inputs)
    if isinstance(made, SetTime) and isinstance(made.source, Narrow) and made.source.time:
        made = replace(made, value=Field(Type.DATETIME, made.value.span, MAIN, (TIME,)))
    done[id(plan)] = made
    return made


def _narrow(
    scan: Scan, reader: Plan, needs: dict[int, Needs], waits: dict[int, bool], done: Done
) -> Plan:
    """Return an input with its needed fields only; one for all who read it in the same way."""
    names = needs[id(scan)].get(MAIN, set())
    if names is None or not waits[id(scan)]:
        return scan
    timed = isinstance(reader, SetTime)
    time = _time_of(reader) if isinstance(reader, SetTime) else None
    key = (id(scan), timed, time)
    if key not in done:
        done[key] = Narrow(scan, tuple(sorted(names)), timed, time)
    return done[key]


def _time_of(plan: SetTime) -> tuple[str, ...] | None:
    """Return the path of the field that TIMESTAMP BY names; None if it is an expression."""
    value = plan.value
    return value.path if isinstance(value, Field) and value.relation == MAIN else None
