"""A plan in, its explanation out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..plan.nodes import Filter, Job, Plan, Project, Union, Write
from ..plan.reads import what_is_read
from ..runtime.order import needed_order
from ..settings import Settings
from ..syntax import nodes as ast
from .facts import Around, facts_of
from .fields import fields_read
from .model import Explanation, Measured, Step
from .places import place_of
from .titles import KINDS, title_of


def explain(
    text: str,
    script: ast.Script,
    job: Job,
    settings: Settings,
    *,
    inputs: Mapping[str, str],
    live: frozenset[str],
    outputs: Mapping[str, str],
    measured: Mapping[int, Measured] | None = None,
) -> Explanation:
    """Return the steps of a job in the order of the data.

    Args:
        inputs: where each input comes from, by name.
        live: the inputs whose events come as they happen.
        outputs: where each output goes, by name.
        measured: what a run measured of the plan's nodes, by identity.
    """
    plans = in_order(job)
    policy = any(s is not None for s in (settings.late_arrival, settings.out_of_order))
    around = Around(
        text, job, settings, what_is_read(job), inputs, live, outputs,
        needed_order(job, policy or settings.policy is not None or bool(live)),
        {id(p): _columns(p) for p in plans}, fields_read(job),
    )  # fmt: skip
    numbers = {id(plan): number for number, plan in enumerate(plans, 1)}
    steps = [
        Step(
            numbers[id(plan)],
            KINDS[type(plan)],
            title_of(plan),
            tuple(facts_of(plan, around)),
            tuple(numbers[id(p)] for p in plan.inputs),
            place_of(plan, script),
            (measured or {}).get(id(plan)),
        )
        for plan in plans
    ]
    return Explanation(text, tuple(steps), measured is not None)


def in_order(job: Job) -> list[Plan]:
    """Return the nodes of a plan, each once, behind all that it reads."""
    found: dict[int, Plan] = {}

    def visit(plan: Plan) -> None:
        if id(plan) not in found:
            for source in plan.inputs:
                visit(source)
            found[id(plan)] = plan

    for write in job.writes:
        visit(write)
    return list(found.values())


def _columns(plan: Plan) -> tuple[tuple[str, str], ...] | None:
    """Return the names and types of the columns that leave a node.

    None where they are open; none at all where each statement has others.
    """
    match plan:
        case Project(items=items):
            if any(name is None for name, _ in items):
                return None
            return tuple((name or "", str(value.type)) for name, value in items)
        case Union(sources=sources):
            first, *others = (_columns(s) for s in sources)
            if first is None or any(o is None for o in others):
                return None
            kinds = [dict(o or ()) for o in others]
            if any(set(k) != {n for n, _ in first} for k in kinds):
                return ()
            return tuple(
                (n, kind if all(k[n] == kind for k in kinds) else "any") for n, kind in first
            )
        case Filter(source=source) | Write(source=source):
            return _columns(source)
        case _:
            return None


def with_lines(found: Explanation) -> dict[int, list[Step]]:
    """Return the steps by the line of the query that they come from."""
    lines: dict[int, list[Step]] = {}
    for step in found.steps:
        line = found.line(step)
        if line is not None:
            lines.setdefault(line, []).append(step)
    return lines


def of_run(found: Explanation, rows: Mapping[str, int]) -> Explanation:
    """Return the explanation with the events that each input has read."""
    steps = []
    for step in found.steps:
        name = step.title.removeprefix("input ")
        if step.kind == "input" and step.measured is None and name in rows:
            step = replace(step, measured=Measured(rows[name], rows[name], 0.0, 0.0, 0))
        steps.append(step)
    return replace(found, steps=tuple(steps))
