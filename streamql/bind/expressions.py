"""Syntax tree of an expression to bound expression: names, functions and types."""

from __future__ import annotations

from typing import assert_never

from ..errors import BindError, CompileError, Span, UsageError
from ..expressions.nodes import (
    Call,
    Case,
    Cast,
    Expr,
    Extract,
    IsNull,
    Literal,
    Logic,
    Not,
    OneOf,
    WindowIdentity,
    walk,
)
from ..functions.conversion import castable
from ..syntax import nodes as ast
from ..types import Type, type_named
from .calls import bind_call, builtin, is_window, refuse_boolean
from .scope import Scope
from .steps import step_as_value

_PREDICATES = (ast.And, ast.Or, ast.Not, ast.Between, ast.In, ast.Like, ast.IsNull)
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})


def is_predicate(node: ast.Expr) -> bool:
    """Tell whether a tree is a condition, which is no value in this language."""
    return isinstance(node, _PREDICATES) or (
        isinstance(node, ast.Binary) and node.operator in _COMPARISONS
    )


def bind_value(node: ast.Expr, scope: Scope) -> Expr:
    """Return the bound value.

    Raises BindError with a place: unknown names, wrong types, a condition where a value must be.
    Where a tool wants all mistakes they are reported, and what is broken is an unknown value.
    """
    try:
        return _value(node, scope)
    except (
        CompileError,
        UsageError,
    ) as error:  # not `attempt`: expressions nest deeply, and frames are few
        scope.environment.report(error)
    for part in _parts(node):
        bind_value(part, scope)
    return unknown_value(node.span)


def unknown_value(span: Span) -> Expr:
    """Return what stands for a value that could not be bound: nothing is known of it."""
    return Literal(Type.ANY, span, None)


def is_unknown(value: Expr) -> bool:
    """Tell whether this, or anything in it, stands for what could not be bound."""
    return any(
        isinstance(v, Literal) and v.type is Type.ANY and v.value is None for v in walk(value)
    )


def _parts(node: ast.Expr) -> tuple[ast.Expr, ...]:
    """Return the arguments of a refused call that may have mistakes of their own.

    Plain names are left out: where the function is not known they may be words such as `second`.
    """
    arguments = node.arguments if isinstance(node, ast.Call) else ()
    return tuple(a for a in arguments if not isinstance(a, ast.Path | ast.Star))


def _value(node: ast.Expr, scope: Scope) -> Expr:
    if is_predicate(node):
        raise BindError(
            "a condition is no value",
            node.span,
            "write CASE WHEN condition THEN 1 ELSE 0 END",
        )
    match node:
        case ast.Literal(value=value, span=span):
            return Literal(_literal_type(value), span, value)
        case ast.Path():
            found = scope.resolve(node)
            return step_as_value(node, scope, bind_value) if found is None else found
        case ast.Star():
            raise BindError(
                "* stands for all columns and is no value",
                node.span,
                "name a column, or an input for its whole events",
            )
        case ast.Unary(operator=sign, operand=operand, span=span):
            if sign == "+":
                return bind_value(operand, scope)
            name = "negate" if sign == "-" else sign
            return bind_function(name, (operand,), span, scope)
        case ast.Binary(operator=sign, left=left, right=right, span=span):
            return bind_function(sign, (left, right), span, scope)
        case ast.Case():
            return _case(node, scope)
        case ast.Cast():
            return _cast(node, scope)
        case ast.Call():
            return bind_call(node, scope, bind_value, bind_condition)
        case ast.Member():
            return _member(node, scope)
        case _:
            raise AssertionError(f"no value: {type(node).__name__}")


def _member(node: ast.Member, scope: Scope) -> Expr:
    """Return System.Window().Id, or the field of a record that is no plain name."""
    name = node.name
    if isinstance(node.value, ast.Call) and is_window(node.value):
        if name.text.lower() != "id":
            raise BindError("System.Window() has an Id only", name.span, "System.Window().Id")
        return WindowIdentity(Type.TEXT, node.span)
    inner = bind_value(node.value, scope)
    if inner.type not in (Type.ANY, Type.RECORD, Type.NULL):
        raise BindError(f"a value of type {inner.type} has no fields", name.span)
    if isinstance(inner, Extract):
        return Extract(Type.ANY, node.span, inner.value, (*inner.path, name.text))
    return Extract(Type.ANY, node.span, inner, (name.text,))


def bind_function(name: str, arguments: tuple[ast.Expr, ...], span: Span, scope: Scope) -> Call:
    """Return the call of a built-in function or operator."""
    bound = tuple(bind_value(a, scope) for a in arguments)
    return builtin(name, bound, span)


def bind_condition(node: ast.Expr, scope: Scope) -> Expr:
    """Return the bound condition; raises BindError for a value that is none.

    Mistakes are reported as by `bind_value`.
    """
    try:
        return _condition(node, scope)
    except CompileError as error:
        scope.environment.report(error)
        return unknown_value(node.span)


def _condition(node: ast.Expr, scope: Scope) -> Expr:
    match node:
        case ast.And(left=left, right=right, span=span) | ast.Or(left=left, right=right, span=span):
            sign = "and" if isinstance(node, ast.And) else "or"
            return Logic(
                Type.BIT, span, sign, bind_condition(left, scope), bind_condition(right, scope)
            )
        case ast.Not(operand=operand, span=span):
            return Not(Type.BIT, span, bind_condition(operand, scope))
        case ast.IsNull(operand=operand, negated=negated, span=span):
            return IsNull(Type.BIT, span, bind_value(operand, scope), negated)
        case ast.Between(operand=operand, low=low, high=high, negated=negated, span=span):
            value, least, most = (bind_value(n, scope) for n in (operand, low, high))
            within = Logic(
                Type.BIT,
                span,
                "and",
                builtin(">=", (value, least), span),
                builtin("<=", (value, most), span),
            )
            return Not(Type.BIT, span, within) if negated else within
        case ast.In(operand=operand, items=items, negated=negated, span=span):
            value = bind_value(operand, scope)
            bound = tuple(bind_value(i, scope) for i in items)
            calls = [builtin("=", (value, item), span) for item in bound]
            among = OneOf(Type.BIT, span, value, bound, calls[0].function)
            return Not(Type.BIT, span, among) if negated else among
        case ast.Like(operand=operand, pattern=pattern, negated=negated, span=span):
            like = bind_function("like", (operand, pattern), span, scope)
            return Not(Type.BIT, span, like) if negated else like
        case ast.Binary(operator=sign, left=left, right=right, span=span) if sign in _COMPARISONS:
            return bind_function(sign, (left, right), span, scope)
        case _:
            value = bind_value(node, scope)
            if is_unknown(value):
                return value
            raise refuse_boolean(value)


def _literal_type(value: int | float | str | None) -> Type:
    match value:
        case None:
            return Type.NULL
        case int():
            return Type.BIGINT
        case float():
            return Type.FLOAT
        case str():
            return Type.TEXT
        case _:
            assert_never(value)


def _case(node: ast.Case, scope: Scope) -> Case:
    if node.otherwise is None:
        missing = BindError("CASE needs an ELSE", node.span, "write ELSE NULL for the other rows")
        scope.environment.report(missing)
    branches = []
    operand = None if node.operand is None else bind_value(node.operand, scope)
    for when in node.whens:
        if operand is None:
            condition = bind_condition(when.condition, scope)
        else:
            value = bind_value(when.condition, scope)
            condition = builtin("=", (operand, value), when.span)
        branches.append((condition, bind_value(when.result, scope)))
    otherwise = (
        unknown_value(node.span) if node.otherwise is None else bind_value(node.otherwise, scope)
    )
    kinds = {r.type for _, r in branches} | {otherwise.type}
    want = _promoted(kinds)
    branches = [(condition, _as_type(result, want)) for condition, result in branches]
    return Case(want or common_type(kinds), node.span, tuple(branches), _as_type(otherwise, want))


def _promoted(kinds: set[Type]) -> Type | None:
    """Return the type that all branches of a CASE get: the highest, if all are numbers or bits.

    Types are compared where the query alone tells them; None where the branches stay as they are.
    """
    some = kinds - {Type.NULL}
    if len(some) < 2:
        return None
    if Type.FLOAT in some and some <= {Type.BIT, Type.BIGINT, Type.NUMBER, Type.FLOAT}:
        return Type.FLOAT
    return Type.BIGINT if some == {Type.BIT, Type.BIGINT} else None


def _as_type(value: Expr, want: Type | None) -> Expr:
    if want is None or value.type in (want, Type.NULL):
        return value
    return Cast(want, value.span, value, lenient=False)


def common_type(kinds: set[Type]) -> Type:
    """Return the type all values have, `any` when they may differ."""
    some = kinds - {Type.NULL}
    if not some:
        return Type.NULL
    return some.pop() if len(some) == 1 else Type.ANY


def named_type(name: ast.Name, what: str) -> Type:
    """Return the type a query names; raises BindError, which says `what` needs the type."""
    want = type_named(name.text)
    if want is None:
        text = name.text.lower()
        hint = "the types are bigint, float, nvarchar(max), datetime, bit, record, array"
        if text.startswith(("nvarchar", "varchar", "char", "text", "string")):
            hint = "text has one type: nvarchar(max)"
        elif text in ("int", "integer", "smallint", "tinyint", "long"):
            hint = "whole numbers have one type: bigint"
        elif text in ("real", "double", "decimal", "numeric"):
            hint = "numbers with a fraction have one type: float"
        raise BindError(f"{what}: unknown type {name.text}", name.span, hint)
    return want


def _cast(node: ast.Cast, scope: Scope) -> Cast:
    word = "TRY_CAST" if node.lenient else "CAST"
    value = bind_value(node.operand, scope)
    want = named_type(node.type, word)
    known = value.type not in (Type.ANY, Type.NULL, Type.NUMBER)
    if known and not node.lenient and not castable(value.type, want):
        raise BindError(f"{word}: a value of type {value.type} cannot become {want}", node.span)
    return Cast(want, node.span, value, node.lenient)
