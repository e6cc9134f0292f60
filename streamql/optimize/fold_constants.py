"""Rule: a call that always gives the same value on constants is that value."""

from __future__ import annotations

from ..expressions.evaluate import evaluate_constant
from ..expressions.nodes import Call, Cast, Expr, Literal, rebuild
from ..functions.registry import Volatility
from ..plan.expressions import map_expressions
from ..plan.nodes import Plan


def fold_constants(node: Plan) -> Plan:
    """Compute immutable calls on literals once, at compile time.

    A call that fails stays: its error belongs to run time, and only if a row reaches it.
    """
    return map_expressions(node, _fold)


def _fold(expr: Expr) -> Expr:
    expr = rebuild(expr, _fold)
    match expr:
        case Call(function=function, arguments=arguments) if (
            function.volatility is Volatility.IMMUTABLE
            and not function.remote
            and arguments
            and all(isinstance(a, Literal) for a in arguments)
        ):
            return evaluate_constant(expr) or expr
        case Cast(value=Literal()):
            return evaluate_constant(expr) or expr
        case _:
            return expr
