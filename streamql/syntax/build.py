"""From Lark's tree to the nodes of the language: one entry for each rule of the grammar.

A rule named like a node class (`select_item`, SelectItem) has its parts in the order of the
class's fields and needs nothing here; the others are in SHAPES. A rule that ends in _list gives a
tuple.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ParseError, Span
from . import nodes
from .nodes import Expr, Literal, Name
from .source import MOST_NESTED, too_deep

if TYPE_CHECKING:
    from lark import Tree

Parts: TypeAlias = list[Any]
Shape: TypeAlias = Callable[[Span, Parts], Any]

_TOO_LARGE = 2**63
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_SAME_COMPARISON = {"!=": "<>", "!<": ">=", "!>": "<="}
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}

NODES: dict[str, type[nodes.Node]] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): kind
    for name, kind in vars(nodes).items()
    if isinstance(kind, type) and issubclass(kind, nodes.Node) and kind is not nodes.Node
}
"""Rule name: class, for the rules that are named like their class."""

_FILLERS: dict[type[nodes.Node], tuple[Any, ...]] = {
    kind: tuple(None if f.default is MISSING else f.default for f in fields(kind)[1:])
    for kind in NODES.values()
}


def build(tree: Tree[Any]) -> nodes.Script:
    """Return the script of a parsed text. Walks without recursion: any depth gets its error."""
    order = []
    waiting = [(tree, 1)]
    while waiting:
        branch, depth = waiting.pop()
        if depth > MOST_NESTED:
            raise too_deep(_span(branch))
        order.append(branch)
        waiting += [(part, depth + 1) for part in branch.children if _is_branch(part)]
    built: dict[int, Any] = {}
    for branch in reversed(order):
        parts = [built.pop(id(part)) if _is_branch(part) else part for part in branch.children]
        built[id(branch)] = make(str(branch.data), _span(branch), parts)
    script: nodes.Script = built[id(tree)]
    _refuse_large_integers(order)
    return script


def make(rule: str, span: Span, parts: Parts) -> Any:
    """Return what a rule with these parts stands for: a node, or a tuple for a list."""
    _refuse_conditions(rule, parts)
    if shape := SHAPES.get(rule):
        return shape(span, parts)
    if rule.endswith("_list"):
        return tuple(parts)
    kind = NODES[rule]
    filled = [f if p is None else p for p, f in zip(parts, _FILLERS[kind], strict=False)]
    return kind(span, *filled)


def _is_branch(part: object) -> bool:
    return hasattr(part, "children")


def _span(branch: Any) -> Span:
    """Return the place of a token or a branch; an empty branch (match_head) has none."""
    meta = getattr(branch, "meta", branch)
    return Span(getattr(meta, "start_pos", 0), getattr(meta, "end_pos", 0))


# -- values and conditions ----------------------------------------------------------------------

_TAKES_CONDITIONS = frozenset(
    {"or", "and", "not", "select", "inner_join", "left_join", "over", "definition"}
)


def is_condition(node: object) -> bool:
    """Tell whether a node is true or false, and so no value."""
    match node:
        case nodes.Binary(operator=operator):
            return operator in _COMPARISONS
        case nodes.And() | nodes.Or() | nodes.Not():
            return True
        case nodes.Between() | nodes.In() | nodes.Like() | nodes.IsNull():
            return True
        case _:
            return False


def _refuse_conditions(rule: str, parts: Parts) -> None:
    """Refuse a condition in parentheses where only a value can stand.

    The grammar cannot: it would have to know at the parenthesis what comes after it.
    """
    if rule in _TAKES_CONDITIONS:
        return
    for part in parts[1:] if rule == "when" else parts:
        if is_condition(part):
            raise ParseError(
                "a condition is not a value",
                part.span,
                "make it one with CASE WHEN ... THEN 1 ELSE 0 END",
            )


def _comparison(span: Span, parts: Parts) -> nodes.Binary:
    left, sign, right = parts
    return nodes.Binary(span, _SAME_COMPARISON.get(sign, str(sign)), left, right)


def _balanced(kind: type[nodes.And] | type[nodes.Or]) -> Shape:
    """Return the shape of `a AND b AND ...`: a thousand terms make a tree ten levels deep."""

    def shape(span: Span, parts: Parts) -> Any:
        if len(parts) == 1:
            return parts[0]
        middle = (len(parts) + 1) // 2
        left, right = shape(span, parts[:middle]), shape(span, parts[middle:])
        return kind(Span(left.span.start, right.span.end), left, right)

    return shape


def _negated(kind: Callable[..., Any]) -> Shape:
    return lambda span, parts: kind(span, *parts, negated=True)


def _unary(span: Span, parts: Parts) -> Expr:
    sign, operand = str(parts[0]), parts[1]
    match operand:
        case Literal(value=int() | float() as value) if sign == "-" and str(value)[0] != "-":
            return Literal(span, -value)
    return nodes.Unary(span, sign, operand)


# -- literals and names -------------------------------------------------------------------------


def _whole(token: Any) -> int:
    """Return the integer of a token, at most 2^63 (which only a minus sign makes a bigint)."""
    digits = token.lstrip("0") or "0"
    number = int(digits) if len(digits) < 20 else _TOO_LARGE + 1
    if number > _TOO_LARGE:
        raise _out_of_range(_span(token))
    return number


def _out_of_range(span: Span) -> ParseError:
    return ParseError(
        "this number does not fit into bigint (64 bits)",
        span,
        "write it with a fraction (1.0) to get a float, or in quotes to get text",
    )


def _refuse_large_integers(order: list[Any]) -> None:
    """Refuse 9223372036854775808 unless it stands behind a minus sign."""
    negated = {id(b.children[1]) for b in order if b.data == "unary" and b.children[0] == "-"}
    for branch in order:
        outside = branch.data == "integer" and id(branch) not in negated
        if outside and _whole(branch.children[0]) == _TOO_LARGE:
            raise _out_of_range(_span(branch))


def _float(span: Span, parts: Parts) -> Literal:
    number = float(parts[0])
    if number in (float("inf"), float("-inf")):
        raise ParseError("this number does not fit into float", span)
    return Literal(span, number)


def _text(token: Any) -> str:
    return str(token)[token.index("'") + 1 : -1].replace("''", "'")


def _name(span: Span, parts: Parts) -> Name:
    text = str(parts[0])
    if text[0] == "[":
        return Name(span, text[1:-1].replace("]]", "]"), quoted=True)
    if text[0] == '"':
        return Name(span, text[1:-1].replace('""', '"'), quoted=True)
    return Name(span, text)


def _type(span: Span, parts: Parts) -> Name:
    word, *sizes = [str(part) for part in parts if part is not None]
    return Name(span, f"{word}({','.join(sizes)})" if sizes else word)


# -- paths and calls ----------------------------------------------------------------------------


def _path(span: Span, parts: Parts) -> Expr:
    names: tuple[Name, ...] = parts[0]
    plain = [n.text.lower() for n in names if not n.quoted]
    if plain == ["system", "timestamp"] and len(names) == 2:
        return nodes.Call(span, names[:1], names[1])
    return nodes.Path(span, names)


def _call(distinct: bool) -> Shape:
    def shape(span: Span, parts: Parts) -> nodes.Call:
        (*prefix, name), given, over = parts
        arguments = given if isinstance(given, tuple) else () if given is None else (given,)
        if not prefix and name.text.lower() == "top":
            raise ParseError(
                "the language has no TOP",
                name.span,
                "use TopOne() or CollectTop(n) OVER (ORDER BY ...) within a window",
            )
        return nodes.Call(span, tuple(prefix), name, arguments, distinct, over)

    return shape


# -- windows ------------------------------------------------------------------------------------


def _window(span: Span, parts: Parts) -> nodes.Window:
    word, durations, keys = parts
    kind = str(word).lower().removesuffix("window")
    return nodes.Window(span, kind, durations, partition_by=keys or ())


def _bare_durations(_: Span, parts: Parts) -> tuple[nodes.Duration, ...]:
    unit, *amounts = parts
    return tuple(
        a if isinstance(a, nodes.Duration) else nodes.Duration(a.span, "", unit, a) for a in amounts
    )


def _duration(span: Span, parts: Parts) -> nodes.Duration:
    word, unit, amount = parts
    return nodes.Duration(span, str(word).lower(), unit, amount)


# -- FROM ---------------------------------------------------------------------------------------


def _table(span: Span, parts: Parts) -> nodes.Table:
    name, *clauses = parts
    kinds = {Name: "alias", nodes.TimestampBy: "timestamp_by", nodes.PartitionBy: "partition_by"}
    return nodes.Table(span, name, **{kinds[type(c)]: c for c in clauses})


def _join(kind: str) -> Shape:
    return lambda span, parts: nodes.Join(span, parts[0], kind, parts[1], parts[2])


def _apply(outer: bool) -> Shape:
    return lambda span, parts: nodes.Apply(span, parts[0], outer, parts[1], parts[2])


def _match_recognize(span: Span, parts: Parts) -> nodes.MatchRecognize:
    source, (limit, keys), measures, pattern, definitions, alias = parts
    return nodes.MatchRecognize(
        span, source, limit, keys or (), measures, pattern, definitions, alias
    )


def _between_times(span: Span, parts: Parts) -> nodes.PatternRepeat:
    part, least, most = parts
    low, high = _whole(least), None if most is None else _whole(most)
    if high is not None and high < max(low, 1):
        raise ParseError(f"{{{low},{high}}} can never match", _span(least))
    return nodes.PatternRepeat(span, part, low, high)


SHAPES: dict[str, Shape] = {
    "script": lambda span, p: nodes.Script(span, p[0] or (), p[1] or (), p[2]),
    "assigned_item": lambda span, p: nodes.SelectItem(span, p[1], p[0]),
    "star": lambda span, p: nodes.Star(span, tuple(p[:-1])),
    "text_alias": lambda _, p: Name(_span(p[0]), _text(p[0]), quoted=True),
    "inner_join": _join("inner"),
    "left_join": _join("left"),
    "cross_apply": _apply(outer=False),
    "outer_apply": _apply(outer=True),
    "match_recognize": _match_recognize,
    "match_head": lambda _, p: (p[0], p[1]),
    "partitioned_head": lambda _, p: (p[1], p[0]),
    "table": _table,
    "pattern_choice": lambda span, p: nodes.PatternChoice(span, tuple(p)),
    "pattern_sequence": lambda span, p: nodes.PatternSequence(span, tuple(p)),
    "pattern_repeat": lambda span, p: nodes.PatternRepeat(span, p[0], *_QUANTIFIERS[p[1]]),
    "pattern_exactly": lambda span, p: _between_times(span, [p[0], p[1], p[1]]),
    "pattern_between": _between_times,
    "pattern_variable": lambda span, p: nodes.PatternVariable(span, str(p[0])),
    "identified_window": lambda span, p: replace(p[1], span=span, identity=p[0]),
    "snapshot": lambda span, _: nodes.Window(span, "snapshot", ()),
    "window": _window,
    "bare_durations": _bare_durations,
    "duration": _duration,
    "limit": _duration,
    "or": _balanced(nodes.Or),
    "and": _balanced(nodes.And),
    "comparison": _comparison,
    "not_between": _negated(nodes.Between),
    "not_in": _negated(nodes.In),
    "not_like": _negated(nodes.Like),
    "is_not_null": _negated(nodes.IsNull),
    "arithmetic": lambda span, p: nodes.Binary(span, str(p[1]), p[0], p[2]),
    "unary": _unary,
    "path": _path,
    "integer": lambda span, p: Literal(span, _whole(p[0])),
    "float": _float,
    "string": lambda span, p: Literal(span, _text(p[0])),
    "null": lambda span, _: Literal(span, None),
    "simple_when": lambda span, p: nodes.When(span, p[0], p[1]),
    "simple_case": lambda span, p: nodes.Case(span, *p),
    "searched_case": lambda span, p: nodes.Case(span, None, *p),
    "try_cast": lambda span, p: nodes.Cast(span, p[0], p[1], lenient=True),
    "call": _call(distinct=False),
    "distinct_call": _call(distinct=True),
    "descending_item": lambda span, p: nodes.OrderItem(span, p[0], descending=True),
    "type": _type,
    "dotted": lambda _, p: tuple(p),
    "name": _name,
    "field": _name,
}
"""Rule name: how its parts become a node, where the class alone does not say it."""
