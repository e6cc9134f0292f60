"""Which fields of an input a plan reads: the others are not even decoded."""

from __future__ import annotations

from ..batch import MAIN
from ..expressions.nodes import TIME, Field, Whole, walk
from ..plan.expressions import expressions_in
from ..plan.nodes import (
    Group,
    Job,
    Join,
    Lookup,
    Narrow,
    Plan,
    Project,
    Recognize,
    Scan,
    Union,
    Write,
)


def fields_read(job: Job) -> dict[str, tuple[str, ...] | None]:
    """Return the names of the fields that are read of each input, in order; None for all."""
    readers: dict[int, list[Plan]] = {}
    plans: dict[int, Plan] = {}
    stack: list[Plan] = list(job.writes)
    while stack:
        plan = stack.pop()
        if id(plan) not in plans:
            plans[id(plan)] = plan
            for source in plan.inputs:
                readers.setdefault(id(source), []).append(plan)
                stack.append(source)
    found: dict[str, set[str] | None] = {}
    for plan in plans.values():
        if isinstance(plan, Scan):
            names = _below(plan, MAIN, readers)
            known = found.get(plan.input, set())
            found[plan.input] = None if names is None or known is None else known | names
    return {n: None if names is None else tuple(sorted(names)) for n, names in found.items()}


def _below(plan: Plan, key: str, readers: dict[int, list[Plan]]) -> set[str] | None:
    """Return the fields of the relation `key` that those who read a node ask for."""
    names: set[str] = set()
    for reader in readers.get(id(plan), ()):
        if isinstance(reader, Write | Union):
            return None  # rows are written as they came
        renamed = _renamed(reader, plan, key)
        for part in (p for e in expressions_in(reader) for p in walk(e)):
            if isinstance(part, Whole) and part.relation == renamed:
                return None
            if isinstance(part, Field) and part.relation == renamed and part.path[0] != TIME:
                names.add(part.path[0])
        if isinstance(reader, Narrow) and reader.time is not None:
            names.add(reader.time[0])
        if isinstance(reader, Project | Group | Recognize):
            continue
        further = _below(reader, renamed, readers)
        if further is None:
            return None
        names |= further
    return names


def _renamed(reader: Plan, plan: Plan, key: str) -> str:
    """Return what a relation is called in a node, and behind it."""
    if key != MAIN or not isinstance(reader, Join | Lookup):
        return key
    if isinstance(reader, Join) and reader.right is plan:
        return reader.right_key
    return reader.left_key or key
