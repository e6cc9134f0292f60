"""What a plan needs of its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..expressions.nodes import META, Field
from ..types import Type
from .expressions import parts_of
from .nodes import Job, Narrow, Plan, Scan, plans_below

Columns = tuple[tuple[str, Type], ...]
_Fields = tuple[tuple[str, ...] | None, tuple[str, ...] | None]
_ALL: _Fields = (None, None)


@dataclass(frozen=True, slots=True)
class Reads:
    """How the events of an input become rows.

    Attributes:
        columns: the columns that CREATE TABLE declares; None without one.
        metadata: the relation of message metadata is read.
        names: the only fields that anything reads; None where that may be any, or where rows are
            dropped before their fields are looked at.
        time: with `names`, the path of the field that is the events' time.
    """

    columns: Columns | None = None
    metadata: bool = False
    names: tuple[str, ...] | None = None
    time: tuple[str, ...] | None = None


def what_is_read(job: Job) -> dict[str, Reads]:
    """Return what the job needs of each of its inputs."""
    plans = tuple(plans_below(job.writes))
    metadata = any(
        isinstance(e, Field) and e.relation.startswith(META)
        for plan in plans
        for e in parts_of(plan)
    )
    declared = {p.input: p.columns for p in plans if isinstance(p, Scan)}
    names = _narrowed(plans)
    return {n: Reads(declared.get(n), metadata, *names.get(n, _ALL)) for n in job.inputs}


def _narrowed(plans: Iterable[Plan]) -> dict[str, _Fields]:
    """Return the fields of the inputs that are read in one way only, through a Narrow node."""
    found: dict[str, _Fields] = {}
    for plan in plans:
        for source in plan.inputs:
            if isinstance(source, Scan):
                own: _Fields = (plan.names, plan.time) if isinstance(plan, Narrow) else _ALL
                known = found.setdefault(source.input, own)
                found[source.input] = own if own == known else _ALL
    return found
