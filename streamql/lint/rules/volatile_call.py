"""A job that goes on from a checkpoint computes some rows again, and should get the same."""

from __future__ import annotations

from collections.abc import Iterator

from ...expressions.nodes import Call
from ...functions.registry import Volatility
from ..diagnostic import Diagnostic, warning
from ..subject import Subject, parts_of


def volatile_with_checkpoints(subject: Subject) -> Iterator[Diagnostic]:
    """Find calls that may give something else the next time, in a job with checkpoints."""
    if not subject.checkpoints:
        return
    for plan in subject.plans():
        for part in parts_of(plan):
            if isinstance(part, Call) and part.function.volatility is Volatility.VOLATILE:
                yield warning(
                    "volatile-with-checkpoints",
                    f"udf.{part.function.name} may give something else when rows are computed "
                    "again after a restart",
                    part.span,
                    "in JavaScript, --set js_deterministic=true makes the time and random numbers "
                    "depend on the event",
                )
