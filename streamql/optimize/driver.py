"""Applies the rules to a plan until nothing changes. Rules look at one node; this walks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import InternalError
from ..plan.nodes import Job, Plan, Write
from .fold_constants import fold_constants
from .lift_remote_calls import lift_remote_calls
from .prune_columns import prune_columns

Rule = Callable[[Plan], Plan]

RULES: tuple[Rule, ...] = (
    fold_constants,  # first: a guard that has become constant needs no evaluation per row
    lift_remote_calls,
)
_MAX_PASSES = 20


def optimize(job: Job, rules: tuple[Rule, ...] = RULES, fired: list[str] | None = None) -> Job:
    """Return the job with better plans. A plan that two others read stays one object.

    `fired` collects the names of the rules that changed something.
    """
    for _ in range(_MAX_PASSES):
        changed = False
        for rule in rules:
            done: dict[int, Plan] = {}
            writes = tuple(_rewrite(write, rule, done) for write in job.writes)
            if any(new is not old for new, old in zip(writes, job.writes, strict=True)):
                changed = True
                if fired is not None:
                    fired.append(rule.__name__)
            kept = tuple(w for w in writes if isinstance(w, Write))
            job = replace(job, writes=kept)
        if not changed:
            return prune_columns(job)
    raise InternalError("the rules do not settle")


def _rewrite(plan: Plan, rule: Rule, done: dict[int, Plan]) -> Plan:
    """Apply a rule to all nodes, inputs first; each shared node once."""
    known = done.get(id(plan))
    if known is not None:
        return known
    inputs = tuple(_rewrite(p, rule, done) for p in plan.inputs)
    same = all(new is old for new, old in zip(inputs, plan.inputs, strict=True))
    result = rule(plan if same else plan.with_inputs(inputs))
    done[id(plan)] = result
    return result
