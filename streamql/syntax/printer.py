"""Tree to text: what `parse` would read as the same tree, on one line.

For plans and messages, and for the test that the grammar loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from . import nodes
from .nodes import Name
from .source import RESERVED

_PLAIN = re.compile(r"[^\W\d]\w*")
# how tightly a construct holds together; a looser one inside of a tighter one gets parentheses
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _UNARY, _PRIMARY = range(1, 9)
_DURATION_WORDS = {"maxduration": "MaxDuration"}


def print_name(name: Name) -> str:
    """Return a name as it can stand in a query, in brackets where it has to."""
    free = _PLAIN.fullmatch(name.text) and name.text.upper() not in RESERVED
    return name.text if free and not name.quoted else f"[{name.text.replace(']', ']]')}]"


def print_names(names: Iterable[Name]) -> str:
    """Return a dotted name."""
    return ".".join(map(print_name, names))


def print_expression(node: nodes.GroupItem) -> str:
    """Return the text of a value, a condition or a window."""
    return _print(node)[0]


def print_script(script: nodes.Script) -> str:
    """Return the text of a script."""
    tables = [
        f"CREATE TABLE {print_name(t.name)} ("
        + ", ".join(f"{print_name(c.name)} {c.type.text}" for c in t.columns)
        + ");"
        for t in script.tables
    ]
    steps = ", ".join(f"{print_name(s.name)} AS ({print_query(s.query)})" for s in script.steps)
    statements = "; ".join(map(print_query, script.statements))
    return " ".join([*tables, *([f"WITH {steps}"] if steps else []), statements])


def print_query(query: nodes.Query) -> str:
    """Return the text of a SELECT or UNION."""
    if isinstance(query, nodes.Union):
        right = print_query(query.right)
        right = f"({right})" if isinstance(query.right, nodes.Union) else right
        return f"{print_query(query.left)} UNION {right}"
    parts = ["SELECT", _list(query.items)]
    if query.into is not None:
        parts += ["INTO", print_name(query.into)]
    if query.source is not None:
        parts += ["FROM", print_source(query.source)]
    if query.where is not None:
        parts += ["WHERE", print_expression(query.where)]
    if query.group_by:
        parts += ["GROUP BY", _list(query.group_by)]
    if query.having is not None:
        parts += ["HAVING", print_expression(query.having)]
    return " ".join(parts)


def print_source(source: nodes.Source) -> str:
    """Return the text of what follows FROM."""
    match source:
        case nodes.Table(name=name, alias=alias, timestamp_by=time, partition_by=keys):
            text = print_name(name) + _alias(alias)
            if time is not None:
                text += f" TIMESTAMP BY {print_expression(time.value)}"
                text += f" OVER {_list(time.over)}" if time.over else ""
            if keys is not None:
                text += f" PARTITION BY {_list(keys.keys)}"
                text += f" INTO {keys.count.value}" if keys.count is not None else ""
            return text
        case nodes.Subquery(query=query, alias=alias):
            return f"({print_query(query)}){_alias(alias)}"
        case nodes.Join(left=left, kind=kind, right=right, condition=condition):
            word = "JOIN" if kind == "inner" else "LEFT JOIN"
            on = print_expression(condition)
            return f"{print_source(left)} {word} {print_source(right)} ON {on}"
        case nodes.Apply(source=below, outer=outer, call=call, alias=alias):
            word = "OUTER" if outer else "CROSS"
            return f"{print_source(below)} {word} APPLY {print_expression(call)}{_alias(alias)}"
        case nodes.MatchRecognize():
            return _print_match(source)


def _print_match(match: nodes.MatchRecognize) -> str:
    measures = [f"{print_expression(m.value)} AS {print_name(m.name)}" for m in match.measures]
    definitions = [
        f"{print_name(d.name)} AS {print_expression(d.condition)}" for d in match.definitions
    ]
    head = [f"LIMIT {_print_duration(match.limit)}"] if match.limit is not None else []
    head += [f"PARTITION BY {_list(match.partition_by)}"] if match.partition_by else []
    parts = [
        *head, f"MEASURES {', '.join(measures)}", "AFTER MATCH SKIP TO NEXT ROW",
        f"PATTERN ({print_pattern(match.pattern)})", f"DEFINE {', '.join(definitions)}",
    ]  # fmt: skip
    inside = " ".join(parts)
    return f"{print_source(match.source)} MATCH_RECOGNIZE ({inside}){_alias(match.alias)}"


def print_pattern(pattern: nodes.Pattern) -> str:
    """Return the text inside of PATTERN (...)."""
    match pattern:
        case nodes.PatternVariable(name=name):
            return name
        case nodes.PatternSequence(parts=parts):
            return " ".join(_grouped(p, nodes.PatternSequence, nodes.PatternChoice) for p in parts)
        case nodes.PatternChoice(options=options):
            return " | ".join(_grouped(p, nodes.PatternChoice) for p in options)
        case nodes.PatternRepeat(part=part, least=least, most=most):
            times = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
            times = times or f"{{{least},{'' if most is None else most}}}"
            kinds = (nodes.PatternSequence, nodes.PatternChoice, nodes.PatternRepeat)
            return _grouped(part, *kinds) + times


def _grouped(pattern: nodes.Pattern, *kinds: type) -> str:
    text = print_pattern(pattern)
    return f"({text})" if isinstance(pattern, kinds) else text


# -- expressions --------------------------------------------------------------------------------


def _print(node: nodes.GroupItem) -> tuple[str, int]:
    """Return the text of an expression and how tightly it holds together."""
    match node:
        case nodes.Or(left=left, right=right):
            return f"{_inside(left, _OR)} OR {_inside(right, _OR)}", _OR
        case nodes.And(left=left, right=right):
            return f"{_inside(left, _AND)} AND {_inside(right, _AND)}", _AND
        case nodes.Not(operand=operand):
            return f"NOT {_inside(operand, _NOT)}", _NOT
        case nodes.Binary(operator=operator, left=left, right=right):
            level = {"*": _PRODUCT, "/": _PRODUCT, "%": _PRODUCT}.get(operator, _SUM)
            level = level if operator in "+-*/%&|^" else _PREDICATE
            # all lean to the left but the comparisons, which stand alone
            left_level = level + 1 if level == _PREDICATE else level
            return f"{_inside(left, left_level)} {operator} {_inside(right, level + 1)}", level
        case nodes.Unary(operator=operator, operand=operand):
            text = _inside(operand, _UNARY)
            # -- would start a comment
            return f"{operator}{' ' if text.startswith(operator) else ''}{text}", _UNARY
        case nodes.Between() | nodes.In() | nodes.Like() | nodes.IsNull():
            return _print_predicate(node), _PREDICATE
        case nodes.Literal(value=value):
            return _print_literal(value)
        case _:
            return _print_primary(node), _PRIMARY


def _inside(node: nodes.Expr, level: int) -> str:
    text, tightness = _print(node)
    return text if tightness >= level else f"({text})"


def _print_predicate(node: nodes.Between | nodes.In | nodes.Like | nodes.IsNull) -> str:
    operand, no = _inside(node.operand, _SUM), "NOT " if node.negated else ""
    match node:
        case nodes.Between(low=low, high=high):
            return f"{operand} {no}BETWEEN {_inside(low, _SUM)} AND {_inside(high, _SUM)}"
        case nodes.In(items=items):
            return f"{operand} {no}IN ({_list(items)})"
        case nodes.Like(pattern=pattern):
            return f"{operand} {no}LIKE {_inside(pattern, _SUM)}"
        case nodes.IsNull():
            return f"{operand} IS {no}NULL"


def _print_literal(value: int | float | str | None) -> tuple[str, int]:
    if value is None:
        return "NULL", _PRIMARY
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'", _PRIMARY
    text = repr(value)
    return text, _UNARY if text[0] == "-" else _PRIMARY


def _print_primary(node: nodes.GroupItem) -> str:
    match node:
        case nodes.Path(names=names):
            return print_names(names)
        case nodes.Star(prefix=prefix):
            return ".".join([*map(print_name, prefix), "*"])
        case nodes.Case(operand=operand, whens=whens, otherwise=otherwise):
            parts = ["CASE", *([print_expression(operand)] if operand is not None else [])]
            for when in whens:
                condition, result = print_expression(when.condition), print_expression(when.result)
                parts.append(f"WHEN {condition} THEN {result}")
            parts += [f"ELSE {print_expression(otherwise)}"] if otherwise is not None else []
            return " ".join([*parts, "END"])
        case nodes.Cast(operand=operand, type=kind, lenient=lenient):
            word = "TRY_CAST" if lenient else "CAST"
            return f"{word}({print_expression(operand)} AS {kind.text})"
        case nodes.Member(value=value, name=name):
            text = _inside(value, _PRIMARY)
            # of a name it would read as one more part of the path, of a literal as nothing
            bare = isinstance(value, nodes.Path | nodes.Literal)
            return f"({text}).{print_name(name)}" if bare else f"{text}.{print_name(name)}"
        case nodes.Call(prefix=prefix, name=name, arguments=arguments, distinct=distinct):
            inside = f"{'DISTINCT ' if distinct else ''}{_list(arguments)}"
            over = f" OVER ({_print_over(node.over)})" if node.over is not None else ""
            return f"{print_names((*prefix, name))}({inside}){over}"
        case nodes.Windows(members=members):
            return f"Windows({_list(members)})"
        case nodes.Window():
            return _print_window(node)
        case _:
            return print_expression(node)


def _print_over(over: nodes.Over) -> str:
    parts = [f"PARTITION BY {_list(over.partition_by)}"] if over.partition_by else []
    if over.order_by:
        order = [f"{print_expression(o.value)}{' DESC' * o.descending}" for o in over.order_by]
        parts.append(f"ORDER BY {', '.join(order)}")
    parts += [f"LIMIT {_print_duration(over.limit)}"] if over.limit is not None else []
    parts += [f"WHEN {print_expression(over.when)}"] if over.when is not None else []
    return " ".join(parts)


def _print_window(window: nodes.Window) -> str:
    if window.kind == "snapshot":
        text = "System.Timestamp()"
    else:
        bare = [d for d in window.durations if not d.kind]
        parts = [bare[0].unit.text] if bare else []
        parts += [_print_duration(d) for d in window.durations]
        text = f"{window.kind.capitalize()}Window({', '.join(parts)})"
    if window.partition_by:
        text += f" OVER (PARTITION BY {_list(window.partition_by)})"
    if window.identity is None:
        return text
    return f"Window({print_expression(window.identity)}, {text})"


def _print_duration(duration: nodes.Duration) -> str:
    amount = print_expression(duration.amount)
    if not duration.kind:
        return amount
    word = _DURATION_WORDS.get(duration.kind, duration.kind.capitalize())
    return f"{word}({print_name(duration.unit)}, {amount})"


def _list(items: Iterable[nodes.GroupItem | nodes.SelectItem]) -> str:
    return ", ".join(
        print_expression(i.value) + _alias(i.alias)
        if isinstance(i, nodes.SelectItem)
        else print_expression(i)
        for i in items
    )


def _alias(alias: Name | None) -> str:
    return "" if alias is None else f" AS {print_name(alias)}"
