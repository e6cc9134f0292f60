"""A scoring function gets NULLs: most models refuse them, or answer nonsense."""

from __future__ import annotations

from collections.abc import Iterator

from ...expressions.nodes import (
    ANALYTIC,
    Analytic,
    Call,
    Case,
    Cast,
    Coalesce,
    Expr,
    Field,
    Literal,
    MakeRecord,
    Whole,
)
from ...plan.expressions import parts_of
from ...plan.nodes import (
    Analyze,
    Filter,
    Group,
    Join,
    Lookup,
    Plan,
    Project,
    Recognize,
    Union,
)
from ...types import Type
from ..diagnostic import Diagnostic, warning
from ..subject import Subject


def null_into_score(subject: Subject) -> Iterator[Diagnostic]:
    """Find calls of models whose argument may be NULL by the way it is made."""
    for plan in subject.plans():
        for part in parts_of(plan):
            if isinstance(part, Call) and part.function.remote:
                for argument in part.arguments:
                    why = _null(argument, plan)
                    if why is not None:
                        yield warning(
                            "null-into-score",
                            f"udf.{part.function.name} may be given NULL: {why}",
                            part.span,
                            "leave such rows out with WHERE ... IS NOT NULL, or give a value for "
                            "them: COALESCE(value, 0)",
                        )
                        break


def _null(expr: Expr, plan: Plan) -> str | None:
    """Return how a value can come to be NULL; None where nothing tells that it can."""
    match expr:
        case Literal(value=None, type=Type.NULL):
            return "the query says so"
        case Cast(lenient=True):
            return "TRY_CAST gives NULL for what cannot be converted"
        case Analytic(kind="lag", default=None):
            return "LAG gives NULL where there is no event before"
        case Field(relation=relation, path=path) if relation == ANALYTIC:
            return _of_analytic(path[0], plan)
        case Field() | Whole():
            return _of_join(expr, plan)
        case Coalesce(values=values):
            reasons = [_null(v, plan) for v in values]
            return reasons[-1] if all(reasons) else None
        case Case(branches=branches, otherwise=otherwise):
            for value in (*(v for _, v in branches), otherwise):
                if why := _null(value, plan):
                    return why
            return None
        case Call(arguments=arguments) if not expr.function.remote:
            return next((w for a in arguments if (w := _null(a, plan))), None)
        case MakeRecord(items=items):
            return next((w for _, v in items if (w := _null(v, plan))), None)
        case Cast(value=value):
            return _null(value, plan)
        case _:
            return None


def _of_analytic(name: str, plan: Plan) -> str | None:
    """Look for the function whose result is called `name` below a node."""
    for below in _below(plan):
        if isinstance(below, Analyze):
            for known, call in below.calls:
                if known == name:
                    return _null(call, below)
    return None


def _of_join(expr: Field | Whole, plan: Plan) -> str | None:
    """Tell whether a relation is the right side of a LEFT JOIN directly below, unfiltered."""
    for below in _below(plan):
        if isinstance(below, Filter) and expr.relation in _relations_of(below):
            return None  # whoever looks at the relation in WHERE has thought of it
        if isinstance(below, Join | Lookup) and below.outer and below.right_key == expr.relation:
            return f"{below.right_key} has no row where the LEFT JOIN finds none"
    return None


def _relations_of(plan: Filter) -> set[str]:
    return {e.relation for e in parts_of(plan) if isinstance(e, Field | Whole)} - {ANALYTIC}


def _below(plan: Plan) -> Iterator[Plan]:
    """Yield the nodes whose relations a node sees, those of other SELECTs left out."""
    while plan.inputs:
        plan = plan.inputs[0]
        yield plan
        if isinstance(plan, Project | Group | Union | Recognize):
            return
