"""Values of types that are never equal and have no order."""

from __future__ import annotations

from collections.abc import Iterator

from ...expressions.nodes import Call, Expr, OneOf
from ...plan.expressions import parts_of
from ...types import Type
from ..diagnostic import Diagnostic, warning
from ..subject import Subject

_COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}
_NUMBERS = {Type.BIGINT, Type.FLOAT, Type.BIT, Type.NUMBER}


def text_and_number(subject: Subject) -> Iterator[Diagnostic]:
    """Find comparisons of a text with a number."""
    told: set[tuple[int, int]] = set()
    for plan in subject.plans():
        for part in parts_of(plan):
            for left, right in _pairs(part):
                kinds = {left.type, right.type}
                place = (part.span.start, part.span.end)
                if Type.TEXT in kinds and kinds & _NUMBERS and place not in told:
                    told.add(place)
                    yield warning(
                        "text-and-number",
                        f"{left.type} and {right.type} are never equal, and have no order",
                        part.span,
                        "convert one of them: CAST(value AS float)",
                    )


def _pairs(expr: Expr) -> Iterator[tuple[Expr, Expr]]:
    match expr:
        case Call(function=function, arguments=(left, right)) if function.name in _COMPARISONS:
            yield left, right
        case OneOf(value=value, items=items):
            for item in items:
                yield value, item
        case _:
            return
