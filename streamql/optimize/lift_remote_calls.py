"""Rule: remote calls leave the expressions and get operators of their own.

There they are batched, sent in parallel and retried while other branches go on. So do calls of
functions that drop the rows for which they fail: only an operator can drop rows. A call inside a
branch of CASE, behind AND or OR, or in COALESCE is made only for the rows that reach it: the
conditions on the way to it become its guard. Equal calls under equal guards are made once, unless
they are volatile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import BindError
from ..expressions.nodes import (
    Call,
    Case,
    Coalesce,
    Expr,
    IsNull,
    Lifted,
    Logic,
    Not,
    rebuild,
    walk,
)
from ..functions.registry import Volatility
from ..plan.expressions import expressions_of, map_expressions
from ..plan.nodes import (
    Analyze,
    Filter,
    Group,
    Join,
    Lookup,
    Plan,
    Project,
    Score,
    SetTime,
    Unnest,
)
from ..types import Type


def lift_remote_calls(node: Plan) -> Plan:
    """Put a Score node below a node whose expressions call remote functions.

    Raises BindError for a call in ON: the pairs that a condition is asked for are not rows yet.
    """
    found = [e for e in expressions_of(node) if _has_remote(e)]
    if not found:
        return node
    match node:
        case Join() | Lookup():
            raise BindError(
                _refusal(found[0]),
                found[0].span,
                "call it in a WITH step that one side reads, or in WHERE",
            )
        case Filter() | Project() | SetTime() | Unnest() | Group() | Analyze():
            lifting = _Lifting(node.source)
            lifted = map_expressions(node, lambda e: lifting.lift(e, None))
            return replace(lifted, source=lifting.plan)
        case _:
            return node


def _has_remote(expr: Expr) -> bool:
    return any(isinstance(e, Call) and _leaves(e) for e in walk(expr))


def _leaves(call: Call) -> bool:
    return call.function.remote or call.function.drops


def _refusal(expr: Expr) -> str:
    if any(isinstance(e, Call) and e.function.remote for e in walk(expr)):
        return "a scoring function cannot stand in ON"
    return "a function cannot stand in ON when its on_error drops rows"


@dataclass
class _Lifting:
    """The Score nodes stacked so far, and the names of their results."""

    plan: Plan
    known: list[tuple[Call, Expr | None, str]] = field(default_factory=list)

    def lift(self, expr: Expr, guard: Expr | None) -> Expr:
        """Return the expression with its remote calls replaced by their results."""
        if not _has_remote(expr):
            return expr
        match expr:
            case Case(branches=branches, otherwise=otherwise):
                return self._case(expr, branches, otherwise, guard)
            case Logic(operator=operator, left=left, right=right):
                before = self.lift(left, guard)
                # AND asks its right side unless the left is false, OR unless it is true
                asks = (
                    Not(Type.BIT, left.span, _is_true(before))
                    if operator == "or"
                    else _not_false(before)
                )
                return replace(expr, left=before, right=self.lift(right, _both(guard, asks)))
            case Coalesce(values=values):
                lifted: list[Expr] = []
                for value in values:
                    missing: Expr | None = guard
                    for earlier in lifted:
                        missing = _both(missing, IsNull(Type.BIT, earlier.span, earlier, False))
                    lifted.append(self.lift(value, missing))
                return replace(expr, values=tuple(lifted))
            case _:
                inner = rebuild(expr, lambda e: self.lift(e, guard))
                if isinstance(inner, Call) and _leaves(inner):
                    return self._score(inner, guard)
                return inner

    def _case(
        self,
        expr: Case,
        branches: tuple[tuple[Expr, Expr], ...],
        otherwise: Expr,
        guard: Expr | None,
    ) -> Expr:
        lifted = []
        reach = guard
        for condition, result in branches:
            when = self.lift(condition, reach)
            lifted.append((when, self.lift(result, _both(reach, _is_true(when)))))
            reach = _both(reach, Not(Type.BIT, when.span, _is_true(when)))
        return replace(expr, branches=tuple(lifted), otherwise=self.lift(otherwise, reach))

    def _score(self, call: Call, guard: Expr | None) -> Expr:
        once = call.function.volatility is not Volatility.VOLATILE
        for known, when, name in self.known:
            if once and known == call and when == guard:
                return Lifted(call.type, call.span, name)
        name = f"call{len(self.known) + _depth(self.plan)}"
        self.known.append((call, guard, name))
        self.plan = Score(self.plan, name, call, guard)
        return Lifted(call.type, call.span, name)


def _depth(plan: Plan) -> int:
    """Return how many Score nodes lie directly below, whose results share the row."""
    count = 0
    while isinstance(plan, Score | Filter | SetTime | Unnest):
        count += isinstance(plan, Score)
        plan = plan.source
    return count


def _both(left: Expr | None, right: Expr) -> Expr | None:
    """Return both conditions. A volatile one is left out: asked twice it could answer twice."""
    if any(
        isinstance(e, Call) and e.function.volatility is Volatility.VOLATILE for e in walk(right)
    ):
        return left
    return right if left is None else Logic(Type.BIT, right.span, "and", left, right)


def _is_true(condition: Expr) -> Expr:
    """Return a condition that is never unknown: unknown counts as false."""
    known = IsNull(Type.BIT, condition.span, condition, True)
    return Logic(Type.BIT, condition.span, "and", known, condition)


def _not_false(condition: Expr) -> Expr:
    unknown = IsNull(Type.BIT, condition.span, condition, False)
    return Logic(Type.BIT, condition.span, "or", unknown, condition)
