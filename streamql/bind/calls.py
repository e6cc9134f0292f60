"""Function calls: which function a name means, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

from ..batch import MAIN
from ..errors import BindError, CompileError, Span, UsageError, suggest
from ..expressions.nodes import TIMES, Call, Coalesce, Expr, Field, Timestamp, Whole
from ..functions.builtins import BUILTINS
from ..functions.datetime import UNIT_FUNCTIONS, unit_function
from ..functions.geospatial import GEOGRAPHY
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import aggregate_names, bind_aggregate, bind_user_aggregate, is_aggregate
from .metadata import NAME as METADATA
from .metadata import bind_metadata
from .scope import Scope

Bind = Callable[[ast.Expr, Scope], Expr]

_TABLE_FUNCTIONS = frozenset({"getarrayelements", "getrecordproperties"})
_WINDOWS = frozenset(
    [
        "tumblingwindow",
        "tumbling",
        "hoppingwindow",
        "hopping",
        "slidingwindow",
        "sliding",
        "sessionwindow",
        "session",
        "windows",
        "window",
    ]
)
_NAMESPACES = ("udf", "uda", "system")
_SYSTEM = ("timestamp", "window")


def bind_call(node: ast.Call, scope: Scope, bind: Bind, condition: Bind) -> Expr:
    """Return the bound call. Raises BindError with the place and what fits."""
    prefix = ".".join(n.text for n in node.prefix).lower()
    name = node.name.text.lower()
    lenient = scope.environment.level != "1.2" and (
        _is_known(name) or scope.environment.registry.udf(node.name.text) is not None
    )
    if prefix == "system" and (name in _SYSTEM or not lenient):
        return _system(node, name)
    if prefix == "udf":
        return _user_function(node, scope, bind)
    if prefix == "uda":
        return bind_user_aggregate(node, scope, bind, condition)
    if prefix and not lenient:  # level 1.2 is strict, earlier ones ignore a wrong prefix
        raise _unknown_prefix(node, prefix, name, scope)
    if prefix and not _is_known(name):
        return _user_function(node, scope, bind)
    return _built_in(node, name, scope, bind, condition)


def _built_in(node: ast.Call, name: str, scope: Scope, bind: Bind, condition: Bind) -> Expr:
    if not _is_named(name) and is_aggregate(name):
        return bind_aggregate(node, scope, bind, condition)
    _refuse_later(node, name)
    if node.over is not None:
        raise BindError(f"{node.name.text} takes no OVER clause", node.over.span)
    if node.distinct:
        raise BindError(f"{node.name.text} takes no DISTINCT", node.span)
    if name == METADATA:
        return bind_metadata(node, scope)
    if name == "coalesce":
        values = tuple(bind(a, scope) for a in node.arguments)
        if len(values) < 2:
            raise BindError(f"COALESCE takes 2 or more arguments, found {len(values)}", node.span)
        kinds = {v.type for v in values} - {Type.NULL}
        kind = kinds.pop() if len(kinds) == 1 else Type.ANY
        return Coalesce(kind, node.span, values)
    if name.upper() in UNIT_FUNCTIONS:
        return _with_unit(node, scope, bind)
    if not _is_named(name):
        raise _unknown(node, scope)
    arguments = tuple(bind(a, scope) for a in node.arguments)
    return builtin(name, arguments, node.span, scope.environment.level)


def builtin(name: str, arguments: tuple[Expr, ...], span: Span, level: str = "1.2") -> Call:
    """Return the call of a built-in function on bound arguments."""
    older = GEOGRAPHY.functions.get(name.lower()) if level != "1.2" else None
    function = older or BUILTINS[name.lower()]
    kind = function.check([a.type for a in arguments], span, [a.span for a in arguments])
    return Call(kind, span, function, arguments)


def _is_named(name: str) -> bool:
    """Tell whether a built-in function is called by this name; operators are written otherwise."""
    function = BUILTINS.get(name)
    return function is not None and getattr(function, "infix", None) is None


def _with_unit(node: ast.Call, scope: Scope, bind: Bind) -> Call:
    if not node.arguments:
        raise BindError(
            f"{node.name.text} needs a time unit first",
            node.span,
            f"write {node.name.text}(minute, ...)",
        )
    word = node.arguments[0]
    unit = word.names[0].text if isinstance(word, ast.Path) and len(word.names) == 1 else None
    try:
        function = unit_function(node.name.text.upper(), unit)
    except CompileError as error:
        raise error.at(word.span) from None
    bound = tuple(_moment(bind(a, scope)) for a in node.arguments[1:])
    kind = function.check([a.type for a in bound], node.span, [a.span for a in bound])
    return Call(kind, node.span, function, bound)


def is_window(node: ast.Call) -> bool:
    """Tell whether a call is System.Window()."""
    return node.name.text.lower() == "window" and [p.text.lower() for p in node.prefix] == [
        "system"
    ]


def _moment(value: Expr) -> Expr:
    """Return the time of a relation's row where an input is named for a datetime."""
    if not isinstance(value, Whole):
        return value
    if value.relation == MAIN:
        return Timestamp(Type.DATETIME, value.span)
    return Field(Type.DATETIME, value.span, TIMES, (value.relation,))


def _system(node: ast.Call, name: str) -> Expr:
    if name == "timestamp":
        if node.arguments:
            raise BindError("System.Timestamp() takes no argument", node.span)
        return Timestamp(Type.DATETIME, node.span)
    if name == "window":
        raise BindError(
            "System.Window() stands only in the select list of a query that groups by a window",
            node.span,
        )
    raise BindError(
        f"there is no System.{node.name.text}",
        node.span,
        suggest(name, ["Timestamp", "Window"])
        or "there are System.Timestamp() and System.Window()",
    )


def _user_function(node: ast.Call, scope: Scope, bind: Bind) -> Call:
    registry = scope.environment.registry
    function = registry.udf(node.name.text)
    if function is None:
        hint = suggest(node.name.text, registry.udfs)
        if node.name.text.lower() in registry.aggregates:
            hint = f"{node.name.text} is an aggregate: call it as uda.{node.name.text}"
        elif hint is not None:
            hint = hint.replace("did you mean ", "did you mean udf.")
        elif node.name.text.lower() in BUILTINS:
            hint = f"{node.name.text} is built in: write it without udf."
        elif registry.udfs:
            hint = "there is " + ", ".join(f"udf.{n}" for n in sorted(registry.udfs)[:8])
        else:
            hint = f"give it with --function {node.name.text}=FILE.js or URL, or --functions DIR"
        raise BindError(f"unknown function udf.{node.name.text}", node.span, hint)
    bound = tuple(bind(a, scope) for a in node.arguments)
    try:
        kind = function.check([a.type for a in bound], node.span, [a.span for a in bound])
    except UsageError as error:  # a model that is looked at when it is called first
        raise error.at(node.span) from None
    return Call(kind, node.span, function, bound)


def _is_known(name: str) -> bool:
    """Tell whether a function of any kind is built in under this name."""
    others = _TABLE_FUNCTIONS | {"coalesce", METADATA}
    plain = _is_named(name) or name in others or name.upper() in UNIT_FUNCTIONS
    return plain or is_aggregate(name)


def _unknown_prefix(node: ast.Call, prefix: str, name: str, scope: Scope) -> BindError:
    spelled = ".".join(n.text for n in node.prefix)
    known = _is_known(name)
    hint = f"write {node.name.text}(...)" if known else suggest(prefix, _NAMESPACES)
    if not known and scope.environment.registry.udf(node.name.text) is not None:
        hint = f"did you mean udf.{node.name.text}?"
    return BindError(f"there is no function {spelled}.{node.name.text}", node.span, hint)


def _refuse_later(node: ast.Call, name: str) -> None:
    if name in _TABLE_FUNCTIONS:
        raise BindError(
            f"{node.name.text} makes rows and stands only after CROSS APPLY or OUTER APPLY",
            node.span,
            f"write FROM input CROSS APPLY {node.name.text}(column) AS element",
        )
    if name in _WINDOWS:
        raise BindError(
            f"{node.name.text} stands only in GROUP BY",
            node.span,
            "in the select list System.Timestamp() is the end of the window",
        )


def _unknown(node: ast.Call, scope: Scope) -> BindError:
    name = node.name.text
    if scope.environment.registry.udf(name) is not None:
        return BindError(f"unknown function {name}", node.span, f"did you mean udf.{name}?")
    known = [f.name for n, f in BUILTINS.items() if _is_named(n)] + [
        "COALESCE",
        *UNIT_FUNCTIONS,
        *aggregate_names(),
    ]
    return BindError(
        f"unknown function {name}",
        node.span,
        suggest(name, known)
        or "user functions are called as udf.NAME; `streamql functions` lists the others",
    )


def refuse_boolean(value: Expr) -> BindError:
    """Return the error for a value where a condition must stand."""
    if value.type is Type.BIT:
        return BindError("a bit is no condition", value.span, "compare it: write ... = 1")
    return BindError(
        "a value is no condition", value.span, "compare it with something, or test IS NOT NULL"
    )
