"""What a plan needs of its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass

from ..expressions.nodes import META, Expr, Field, walk
from ..types import Type
from .nodes import Job, Plan, Scan

Columns = tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class Reads:
    """How the events of an input become rows.

    Attributes:
        columns: the columns that CREATE TABLE declares; None without one.
        metadata: the relation of message metadata is read.
    """

    columns: Columns | None = None
    metadata: bool = False


def what_is_read(job: Job) -> dict[str, Reads]:
    """Return what the job needs of each of its inputs."""
    plans: dict[int, Plan] = {}
    stack: list[Plan] = list(job.writes)
    while stack:
        plan = stack.pop()
        if id(plan) not in plans:
            plans[id(plan)] = plan
            stack += plan.inputs
    metadata = any(
        isinstance(e, Field) and e.relation.startswith(META)
        for plan in plans.values()
        for e in _expressions(plan)
    )
    declared = {p.input: p.columns for p in plans.values() if isinstance(p, Scan)}
    return {name: Reads(declared.get(name), metadata) for name in job.inputs}


def _expressions(value: object) -> Iterator[Expr]:
    """Yield all expressions in a plan node of any kind, those of the plans it reads left out."""
    if isinstance(value, Expr):
        yield from walk(value)
    elif isinstance(value, tuple):
        for item in value:
            yield from _expressions(item)
    elif is_dataclass(value):
        for part in fields(value):
            inner = getattr(value, part.name)
            if not isinstance(inner, Plan):
                yield from _expressions(inner)
