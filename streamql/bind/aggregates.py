"""Calls of aggregates and analytic functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from ..errors import BindError, suggest
from ..expressions.nodes import (
    Aggregation,
    Analytic,
    Call,
    Expr,
    MakeRecord,
    Whole,
    WindowIdentity,
    walk,
)
from ..functions.aggregate import Aggregate, AggregateSpec, Signature
from ..functions.datetime import unit_ticks
from ..syntax import nodes as ast
from ..types import Type
from .durations import constant_integer, duration, duration_unit
from .partitions import in_partition
from .scope import Scope

Bind = Callable[[ast.Expr, Scope], Expr]
Condition = Callable[[ast.Expr, Scope], Expr]

ANALYTIC_ONLY = ("lag", "last", "isfirst")


@cache
def specs() -> Mapping[str, AggregateSpec]:
    """Return every aggregate of the language, by its name in lower case.

    Queries without any start faster without their modules.
    """
    from ..functions.aggregates.catalog import AGGREGATES
    from ..functions.anomaly import ANOMALY

    return {**AGGREGATES, **ANOMALY}


def aggregate_names() -> list[str]:
    """Return the names of aggregates and analytic functions, to suggest one."""
    return [*(s.name for s in specs().values()), "LAG", "LAST", "ISFIRST"]


def is_aggregate(name: str) -> bool:
    """Tell whether a built-in aggregate or analytic function has this name (in lower case)."""
    return name in specs() or name in ANALYTIC_ONLY


def bind_aggregate(node: ast.Call, scope: Scope, bind: Bind, condition: Condition) -> Expr:
    """Return the call of a built-in aggregate, or of an analytic function with its OVER.

    Raises BindError for misuse: OVER without LIMIT DURATION, wrong arguments, nesting.
    """
    name = node.name.text.lower()
    if name in ("lag", "last"):
        return in_partition(_lag(node, scope, bind, condition, 1 if name == "lag" else 0), scope)
    if name == "isfirst":
        return in_partition(_is_first(node, scope, bind, condition), scope)
    return _aggregate(specs()[name], node, scope, bind, condition)


def bind_user_aggregate(node: ast.Call, scope: Scope, bind: Bind, condition: Condition) -> Expr:
    """Return the call of `uda.alias`. Raises BindError with what there is."""
    registry = scope.environment.registry
    spec = registry.aggregates.get(node.name.text.lower())
    if spec is None:
        function = registry.udf(node.name.text)
        if function is not None and function.unmade:
            return Call(Type.ANY, node.span, function, ())
        known: Mapping[str, object] = registry.aggregates
        hint = suggest(node.name.text, known)
        if hint is not None:
            hint = hint.replace("did you mean ", "did you mean uda.")
        elif registry.udf(node.name.text) is not None:
            hint = f"{node.name.text} is a function of one row: call it as udf.{node.name.text}"
        elif known:
            hint = "there is " + ", ".join(f"uda.{n}" for n in sorted(known)[:8])
        else:
            hint = "give it with --functions DIR: a file whose main has init and accumulate"
        raise BindError(f"unknown aggregate uda.{node.name.text}", node.span, hint)
    return _aggregate(spec, node, scope, bind, condition)


def _aggregate(
    spec: AggregateSpec, node: ast.Call, scope: Scope, bind: Bind, condition: Condition
) -> Expr:
    over = node.over
    analytic = over is not None and (
        over.limit is not None or bool(over.partition_by) or over.when is not None
    )
    if not spec.grouped and not analytic:
        raise BindError(
            f"{spec.name} needs OVER (LIMIT DURATION(...))",
            node.span,
            f"write {spec.name}(...) OVER (LIMIT DURATION(minute, 10))",
        )
    if over is not None and not analytic and not over.order_by:
        raise BindError(
            f"{spec.name} OVER needs LIMIT DURATION", over.span, "write LIMIT DURATION(minute, 10)"
        )
    if analytic and (node.distinct or not spec.analytic):
        what = "DISTINCT" if node.distinct else "OVER (LIMIT DURATION ...)"
        raise BindError(f"{spec.name} takes no {what} here", node.span)
    if over is not None and over.order_by and not spec.ordered:
        raise BindError(f"{spec.name} takes no ORDER BY", over.order_by[0].span)
    if spec.ordered and (over is None or not over.order_by):
        raise BindError(
            f"{spec.name} needs an order",
            node.span,
            f"write {spec.name}(...) OVER (ORDER BY column)",
        )
    function, inputs = _signature(spec, node, scope, bind)
    for value in inputs:
        # analytic functions look at the input of GROUP BY: an aggregate takes their results
        refuse_nested(value, spec.name, (Aggregation, Analytic) if analytic else Aggregation)
    if not analytic:
        return Aggregation(function.type, node.span, function, inputs)
    partition, limit, when = _over(node, scope, bind, condition, spec.name)
    made = Analytic(
        function.type, node.span, "aggregate", function, inputs, 0, partition, limit, when
    )
    return in_partition(made, scope)


def _signature(
    spec: AggregateSpec, node: ast.Call, scope: Scope, bind: Bind
) -> tuple[Aggregate, tuple[Expr, ...]]:
    arguments = tuple(a for a in node.arguments if not isinstance(a, ast.Star))
    star = len(arguments) <= spec.constants
    given = len(arguments)
    if given not in spec.counts and not (star and 0 in spec.counts):
        allowed = " or ".join(str(c) for c in spec.counts)
        raise BindError(
            f"{spec.name} takes {allowed} argument{'' if allowed == '1' else 's'}, found {given}",
            node.span,
        )
    first, rest = arguments[: spec.constants], arguments[spec.constants :]
    if spec.constants_last:
        rest, first = rest[: -spec.constants_last], rest[-spec.constants_last :]
        star = False
    constants = tuple(_constant(a, spec.name) for a in first)
    values = [bind(a, scope) for a in rest]
    if star and spec.whole:
        values = [_event(scope, node)]
    order = () if node.over is None else node.over.order_by
    ordered = [bind(o.value, scope) for o in order]
    signature = Signature(
        constants,
        tuple(v.type for v in values),
        tuple(v.type for v in ordered),
        tuple(o.descending for o in order),
        star,
        node.span,
        tuple(a.span for a in node.arguments),
        duration(node.over.limit, "LIMIT DURATION") if node.over and node.over.limit else 0,
    )
    from ..functions.aggregates.catalog import aggregate

    return aggregate(spec, signature, node.distinct), (*values, *ordered)


def _event(scope: Scope, node: ast.Call) -> Expr:
    """Return the whole event as a record: that of the only relation, or one of all relations."""
    if len(scope.sources) == 1:
        return Whole(Type.RECORD, node.span, scope.sources[0].key)
    items = tuple((s.alias, Whole(Type.RECORD, node.span, s.key)) for s in scope.sources)
    return MakeRecord(Type.RECORD, node.span, items)


def _constant(node: ast.Expr, name: str) -> int | float | str | None:
    match node:
        case ast.Literal(value=value):
            return value
        case ast.Unary(operator="-", operand=ast.Literal(value=int() | float() as value)):
            return -value
        case _:
            raise BindError(
                f"{name} needs a constant here", node.span, "write the number or text itself"
            )


def _over(
    node: ast.Call, scope: Scope, bind: Bind, condition: Condition, name: str
) -> tuple[tuple[Expr, ...], int, Expr | None]:
    over = node.over
    if over is None or over.limit is None:
        raise BindError(
            f"{name} needs LIMIT DURATION",
            node.span if over is None else over.span,
            f"write {name}(...) OVER (LIMIT DURATION(minute, 10))",
        )
    partition = tuple(bind(p, scope) for p in over.partition_by)
    when = None if over.when is None else condition(over.when, scope)
    for value in (*partition, *(() if when is None else (when,))):
        refuse_nested(value, f"OVER of {name}")
    return partition, duration(over.limit, "LIMIT DURATION"), when


def _lag(node: ast.Call, scope: Scope, bind: Bind, condition: Condition, offset: int) -> Analytic:
    name = node.name.text
    most = 3 if offset else 2
    if not 1 <= len(node.arguments) <= most:
        raise BindError(
            f"{name} takes 1 to {most} arguments, found {len(node.arguments)}", node.span
        )
    if node.over is not None and node.over.order_by:
        raise BindError(f"{name} takes no ORDER BY", node.over.order_by[0].span)
    star = isinstance(node.arguments[0], ast.Star)
    value = _event(scope, node) if star else bind(node.arguments[0], scope)
    if offset and len(node.arguments) > 1:
        offset = constant_integer(node.arguments[1], f"the offset of {name}")
        if offset < 1:
            raise BindError(
                f"the offset of {name} must be at least 1, found {offset}",
                node.arguments[1].span,
                "LAST(...) looks at the current event as well",
            )
    default = None
    if len(node.arguments) == most:
        default = bind(node.arguments[-1], scope)
        _check_default(name, value, default)
    for part in (value, *(() if default is None else (default,))):
        refuse_nested(part, name)
        _refuse_external(part, name)
    partition, limit, when = _over(node, scope, bind, condition, name)
    kind = value.type if default is None or default.type in (value.type, Type.NULL) else Type.ANY
    return Analytic(kind, node.span, "lag", None, (value,), offset, partition, limit, when, default)


def _check_default(name: str, value: Expr, default: Expr) -> None:
    open_types = (Type.ANY, Type.NULL, Type.NUMBER)
    numbers = {Type.BIGINT, Type.FLOAT}
    if value.type in open_types or default.type in open_types or value.type is default.type:
        return
    if {value.type, default.type} <= numbers:
        return
    raise BindError(
        f"the default of {name} is {default.type}, and its value {value.type}",
        default.span,
        "both need one type",
    )


def _is_first(node: ast.Call, scope: Scope, bind: Bind, condition: Condition) -> Analytic:
    name = node.name.text
    if len(node.arguments) != 2:
        raise BindError(
            f"{name} takes a unit and a number, found {len(node.arguments)} of 2",
            node.span,
            f"write {name}(minute, 10)",
        )
    word = node.arguments[0]
    if not isinstance(word, ast.Path) or len(word.names) != 1:
        raise BindError(f"{name} needs a time unit first", word.span, f"write {name}(minute, 10)")
    amount = constant_integer(node.arguments[1], f"the interval of {name}")
    if amount <= 0:
        raise BindError(f"the interval of {name} must be above zero", node.arguments[1].span)
    interval = amount * unit_ticks(duration_unit(word.names[0]))
    over = node.over
    if over is not None and (over.limit is not None or over.order_by):
        raise BindError(f"{name} takes no LIMIT DURATION and no ORDER BY", over.span)
    partition = () if over is None else tuple(bind(p, scope) for p in over.partition_by)
    when = None if over is None or over.when is None else condition(over.when, scope)
    for value in (*partition, *(() if when is None else (when,))):
        refuse_nested(value, f"OVER of {name}")
    return Analytic(Type.BIGINT, node.span, "first", None, (), interval, partition, 0, when)


def refuse_nested(
    value: Expr,
    what: str,
    refused: type[Expr] | tuple[type[Expr], ...] = (Aggregation, Analytic),
) -> None:
    """Raise BindError if a value holds an aggregate or analytic function."""
    for part in walk(value):
        if isinstance(part, refused):
            raise BindError(
                f"an aggregate or analytic function cannot stand inside of {what}",
                part.span,
                "compute it in a WITH step and read that",
            )
        if isinstance(part, WindowIdentity):
            raise BindError(f"System.Window() cannot stand inside of {what}", part.span)


def _refuse_external(value: Expr, name: str) -> None:
    for part in walk(value):
        if isinstance(part, Call) and part.function.external:
            raise BindError(
                f"{name} cannot call udf.{part.function.name}",
                part.span,
                "call it in a WITH step and read that",
            )


def refuse_aggregates(value: Expr, clause: str) -> None:
    """Raise BindError for an aggregate in a clause that is about single rows."""
    for part in walk(value):
        if isinstance(part, Aggregation):
            hint = "write it in HAVING" if clause == "WHERE" else "compute it in a WITH step"
            raise BindError(f"{clause} cannot hold an aggregate", part.span, hint)
        if isinstance(part, WindowIdentity):
            raise BindError(
                "System.Window() stands only in the select list of a query that groups by a window",
                part.span,
            )
