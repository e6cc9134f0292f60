"""GROUP BY and HAVING: what a grouped SELECT may say, and the plan of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import BindError
from ..expressions.nodes import (
    GROUPED,
    Aggregation,
    Expr,
    Field,
    Literal,
    Timestamp,
    Whole,
    WindowIdentity,
    rebuild,
    walk,
)
from ..plan.nodes import Group, Plan
from ..plan.windows import Session, Window
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import is_aggregate, refuse_aggregates
from .expressions import bind_condition, bind_value
from .names import output_name
from .partitions import lowered, partition_of, with_keys
from .scope import Scope
from .windows import bind_windows


@dataclass
class Grouping:
    """The windows, keys and aggregates of one SELECT."""

    windows: tuple[Window, ...]
    keys: list[Expr]
    written: tuple[ast.Expr, ...]

    def __post_init__(self) -> None:
        self.aggregations: list[Aggregation] = []

    def rewrite(self, expr: Expr, where: str = "the select list") -> Expr:
        """Return an expression over the rows of a group as one over the group's result.

        Raises BindError for a column that is neither a key nor inside an aggregate.
        """
        wanted = lowered(expr)
        for number, key in enumerate(self.keys):
            if lowered(key) == wanted and not isinstance(expr, Timestamp | Literal):
                return Field(expr.type, expr.span, GROUPED, (f"k{number}",))
        match expr:
            case Aggregation():
                return self._aggregation(expr)
            case WindowIdentity():
                if where != "the select list":
                    raise BindError(
                        "System.Window() stands only in the select list of a query that groups "
                        "by a window",
                        expr.span,
                    )
                return Field(Type.TEXT, expr.span, GROUPED, ("window",))
            case Field() | Whole():
                name = expr.path[-1] if isinstance(expr, Field) else "the whole event"
                raise BindError(
                    f"{name} in {where} is neither a key of GROUP BY nor inside an aggregate",
                    expr.span,
                    f"add it to GROUP BY, or write MAX({name})"
                    if isinstance(expr, Field)
                    else "write Collect(), TopOne() or name columns",
                )
            case _:
                return rebuild(expr, lambda e: self.rewrite(e, where))

    def _aggregation(self, expr: Aggregation) -> Expr:
        wanted = lowered(expr)
        known = [lowered(a) for a in self.aggregations]
        number = known.index(wanted) if wanted in known else len(known)
        if number == len(known):
            self.aggregations.append(expr)
        return Field(expr.type, expr.span, GROUPED, (f"a{number}",))

    def plan(self, source: Plan) -> Group:
        """Return the Group node over a plan."""
        return Group(source, self.windows, tuple(self.keys), tuple(self.aggregations))


def bind_grouping(node: ast.Select, scope: Scope) -> Grouping:
    """Return the windows and keys of GROUP BY. Raises BindError.

    Keys of PARTITION BY that GROUP BY does not name split the groups and sessions too: each
    partition is computed on its own (language.md, PARTITION BY).
    """
    windows, written = bind_windows(node.group_by, lambda key: bind_value(key, scope))
    keys = []
    for item in written:
        key = bind_value(item, scope)
        refuse_aggregates(key, "GROUP BY")
        keys.append(key)
    known = [lowered(k) for k in keys]
    substreams = [s for s in scope.sources if s.over]
    for number, column in enumerate(substreams[0].over if substreams else ()):
        # in a join ON makes the columns of all relations equal: any of them will do
        if not any(lowered(s.over[number]) in known for s in substreams if number < len(s.over)):
            raise BindError(
                f"the OVER column of {substreams[0].alias} must be a key of GROUP BY",
                column.span,
                "add it to GROUP BY: each substream has its own time",
            )
    partition = partition_of(scope)
    windows = tuple(
        replace(w, partition=with_keys(w.partition, partition)) if isinstance(w, Session) else w
        for w in windows
    )
    return Grouping(windows, list(with_keys(keys, partition)), written)


def bind_having(node: ast.Select, scope: Scope, grouping: Grouping, level: str) -> Expr:
    """Return the condition of HAVING over the group's result.

    A name is a key first, then an alias of the select list (language.md, SELECT).
    """
    assert node.having is not None
    aliases: dict[str, ast.Expr] = {}
    for number, item in enumerate(node.items, 1):
        if not isinstance(item.value, ast.Star):
            aliases.setdefault(output_name(item, number, level).lower(), item.value)
    keys = {n.names[-1].text.lower() for n in grouping.written if isinstance(n, ast.Path)}
    replaced = _with_aliases(node.having, {a: v for a, v in aliases.items() if a not in keys})
    return grouping.rewrite(bind_condition(replaced, scope), "HAVING")


def _with_aliases(node: ast.Expr, aliases: dict[str, ast.Expr]) -> ast.Expr:
    """Return a condition with aliases replaced by what they stand for, outside of aggregates."""
    if isinstance(node, ast.Path):
        if len(node.names) == 1:
            return aliases.get(node.names[0].text.lower(), node)
        return node
    if isinstance(node, ast.Call) and _aggregates(node):
        return node
    changed: Any = {}
    for part in fields(node):
        old = getattr(node, part.name)
        new = _inside(old, aliases)
        if new is not old:
            changed[part.name] = new
    return replace(node, **changed) if changed else node


def _inside(value: object, aliases: dict[str, ast.Expr]) -> object:
    if isinstance(value, tuple):
        items = tuple(_inside(v, aliases) for v in value)
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if isinstance(value, ast.Node) and not isinstance(value, ast.Name):
        return _with_aliases(value, aliases)  # type: ignore[arg-type]
    return value


def _aggregates(node: ast.Call) -> bool:
    prefix = [p.text.lower() for p in node.prefix]
    return prefix == ["uda"] or (not prefix and is_aggregate(node.name.text.lower()))


def refuse_ungrouped(expr: Expr) -> None:
    """Raise BindError for an aggregate or System.Window() in a SELECT without GROUP BY."""
    for part in walk(expr):
        if isinstance(part, Aggregation):
            raise BindError(
                f"{part.function.name} needs a GROUP BY with a window",
                part.span,
                "add GROUP BY TumblingWindow(second, 10), or OVER (LIMIT DURATION(second, 10))",
            )
        if isinstance(part, WindowIdentity):
            raise BindError(
                "System.Window() stands only in the select list of a query that groups by a window",
                part.span,
            )
