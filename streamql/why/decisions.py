"""What the time policies decided about an event."""

from __future__ import annotations

from ..summary import JobSummary
from ..units import spoken


def time_decision(name: str, whole: JobSummary, less: JobSummary) -> str | None:
    """Return what was decided about the one event that `less` ran without; None: nothing."""
    with_it, without_it = whole.inputs[name], less.inputs[name]
    if with_it.invalid_times > without_it.invalid_times:
        return "it has no valid timestamp: dropped"
    mine, others = with_it.times, without_it.times
    if mine.early.count > others.early.count:
        return "its timestamp is more than 5 min after its arrival: dropped"
    late = mine.late.count > others.late.count
    disordered = mine.disordered.count > others.disordered.count
    policy = mine.policy
    if policy is None or not (late or disordered):
        return None
    done = "dropped" if policy.drop else "moved to what is allowed"
    if late:
        return f"it came late by more than {spoken(policy.late or 0)}: {done}"
    return f"it is out of order by more than {spoken(policy.order)}: {done}"
