"""Durations of windows, LIMIT DURATION and ISFIRST: a unit and a constant number."""

from __future__ import annotations

from ..errors import BindError, CompileError, Span
from ..functions.datetime import unit_named, unit_ticks
from ..instants import TICKS_PER_DAY
from ..syntax import nodes as ast

LONGEST = 7 * TICKS_PER_DAY
_UNITS = ("day", "hour", "minute", "second", "millisecond", "microsecond")


def duration(node: ast.Duration, what: str, *, signed: bool = False) -> int:
    """Return a duration in ticks. `what` names it in messages.

    Raises BindError for a unit longer than a day, a number that is no constant, not above zero
    (unless `signed`), or more than seven days (language.md, Windows).
    """
    unit = duration_unit(node.unit)
    amount = constant_integer(node.amount, what)
    span = Span(node.unit.span.start, node.amount.span.end)
    if amount <= 0 and not signed:
        raise BindError(f"{what} must be above zero, found {amount}", node.amount.span)
    ticks = amount * unit_ticks(unit)
    if abs(ticks) > LONGEST:
        raise BindError(f"{what} may be 7 days at most, found {amount} {node.unit.text}", span)
    return ticks


def duration_unit(name: ast.Name) -> str:
    """Return the unit a word means; plurals are accepted. Raises BindError for long units."""
    try:
        unit = unit_named(name.text)
    except CompileError as error:
        if not name.text.lower().endswith("s"):
            raise error.at(name.span) from None
        try:
            unit = unit_named(name.text[:-1])
        except CompileError:
            raise error.at(name.span) from None
    unit = "day" if unit in ("dayofyear", "weekday") else unit
    if unit not in _UNITS:
        raise BindError(
            f"a duration cannot be counted in {name.text}",
            name.span,
            "the units are " + ", ".join(_UNITS),
        )
    return unit


def constant_integer(node: ast.Expr, what: str) -> int:
    """Return the value of a whole number written in the query. Raises BindError for others."""
    match node:
        case ast.Literal(value=int(value)) if not isinstance(value, bool):
            return value
        case ast.Unary(operator="-", operand=ast.Literal(value=int(value))):
            return -value
        case ast.Unary(operator="+", operand=ast.Literal(value=int(value))):
            return value
        case _:
            raise BindError(
                f"{what} must be a whole number written out",
                node.span,
                "write the number itself, in a smaller unit where it is a fraction",
            )
