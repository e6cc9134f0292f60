"""A job that goes on from a checkpoint computes some rows again, and should get the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...expressions.nodes import Call
from ...functions.registry import Volatility
from ...plan.expressions import parts_of
from ...plan.nodes import Plan
from ..diagnostic import Diagnostic, warning
from ..subject import Subject

HINT = (
    "in JavaScript, --set js_deterministic=true makes the time and random numbers depend on "
    "the event"
)


def volatile_calls(plans: Iterable[Plan]) -> Iterator[tuple[Call, str]]:
    """Yield the calls that may give something else the next time, and what to say of each."""
    for plan in plans:
        for part in parts_of(plan):
            if not isinstance(part, Call):
                continue
            function = part.function
            # a function `by_event` may vary from event to event, and not from run to run
            if function.volatility is Volatility.VOLATILE and not function.by_event:
                text = f"udf.{function.name} may give something else when rows are computed again"
                yield part, f"{text} after a restart"


def volatile_with_checkpoints(subject: Subject) -> Iterator[Diagnostic]:
    """Find calls that may give something else the next time, in a job with checkpoints."""
    if not subject.checkpoints:
        return
    for call, text in volatile_calls(subject.plans()):
        yield warning("volatile-with-checkpoints", text, call.span, HINT)
