"""SELECT: its clauses one by one, from FROM to the select list."""

from __future__ import annotations

from functools import partial

from ..batch import MAIN
from ..errors import BindError, Span
from ..expressions.nodes import Expr, Field, Whole
from ..plan.expressions import map_expressions
from ..plan.nodes import Filter, Plan, Project, Scan, Shape
from ..rows import find
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import refuse_aggregates
from .expressions import bind_condition, bind_value, unknown_value
from .group import Grouping, bind_grouping, bind_having, refuse_ungrouped
from .names import output_name
from .scope import Environment, Scope, Source
from .sources import Sources

Item = tuple[str | None, Expr]


def bind_select(node: ast.Select, sources: Sources) -> tuple[Plan, Shape]:
    """Return the plan of one SELECT and the columns it has. Raises BindError."""
    environment = sources.environment
    if node.source is None:
        raise BindError(
            "SELECT needs a FROM",
            node.span,
            "there is no query without an input: write FROM and the input's name",
        )
    attempt = environment.attempt
    plan, relations = attempt(partial(sources.bind, node.source), _unknown_source)
    scope = Scope(environment, relations)
    attempt(partial(_refuse_star_over_join, node), _nothing)
    where = attempt(partial(_where, node, scope), _nothing)
    if node.group_by:
        return _grouped(node, scope, sources, plan, where)
    having = attempt(partial(_having, node, scope), _nothing)
    conditions = [c for c in (where, having) if c is not None]
    items = attempt(partial(_select_list, node.items, scope, environment), _no_items)
    for value in (*conditions, *(v for _, v in items)):
        attempt(partial(refuse_ungrouped, value), _nothing)
    lift = sources.lifting.lift
    conditions = [lift(c) for c in conditions]
    items = [(name, lift(value)) for name, value in items]
    plan = sources.lifting.place(plan)
    for condition in conditions:
        plan = Filter(plan, condition)
    if len(items) == 1 and items[0][0] is None and items[0][1] == _main(relations):
        return plan, relations[0].shape
    return Project(plan, tuple(items)), _shape(items)


def _where(node: ast.Select, scope: Scope) -> Expr | None:
    if node.where is None:
        return None
    where = bind_condition(node.where, scope)
    refuse_aggregates(where, "WHERE")
    return where


def _nothing() -> None:
    """Stands in for a condition that could not be bound."""


def _no_items() -> list[Item]:
    """Stand in for a select list, or a star, that could not be bound."""
    return []


def _unknown_source() -> tuple[Plan, tuple[Source, ...]]:
    """Stand in for a FROM that could not be bound: all names are fields of it."""
    return Scan(""), (Source("", MAIN, Shape()),)


def _having(node: ast.Select, scope: Scope) -> Expr | None:
    return None if node.having is None else bind_condition(node.having, scope)


def _grouped(
    node: ast.Select, scope: Scope, sources: Sources, plan: Plan, where: Expr | None
) -> tuple[Plan, Shape]:
    """Bind a SELECT with GROUP BY: WHERE, then the groups, then HAVING and the select list."""
    level = sources.environment.level
    lift = sources.lifting.lift
    attempt = sources.environment.attempt
    grouping = attempt(partial(bind_grouping, node, scope), _nothing)
    listed = attempt(partial(_select_list, node.items, scope, sources.environment), _no_items)
    if grouping is None:
        return Project(plan, tuple(listed)), _shape(listed)
    items = [attempt(partial(_of_group, i, grouping), partial(_unknown_item, i)) for i in listed]
    having = None
    if node.having is not None:
        having = attempt(partial(bind_having, node, scope, grouping, level), _nothing)
    if where is not None:
        where = lift(where)
    group = map_expressions(grouping.plan(plan), lift)
    below = sources.lifting.place(plan)
    if where is not None:
        below = Filter(below, where)
    grouped: Plan = group.with_inputs((below,))
    if having is not None:
        grouped = Filter(grouped, having)
    chosen: tuple[Item, ...] = tuple(items)
    return Project(grouped, chosen), _shape(list(chosen))


def _of_group(item: Item, grouping: Grouping) -> Item:
    """Return an item of the select list as one over the result of the group."""
    name, value = item
    if name is None:
        raise BindError(
            "* cannot stand in a SELECT with GROUP BY", value.span, "name the keys and aggregates"
        )
    return name, grouping.rewrite(value)


def _unknown_item(item: Item) -> Item:
    return item[0] or "", unknown_value(item[1].span)


def _refuse_star_over_join(node: ast.Select) -> None:
    source = node.source
    while isinstance(source, ast.Apply):
        source = source.source
    if not isinstance(source, ast.Join):
        return
    for item in node.items:
        if isinstance(item.value, ast.Star) and not item.value.prefix:
            raise BindError(
                "* cannot stand in a SELECT with a JOIN", item.span, "write a.*, or name columns"
            )


def _main(relations: tuple[Source, ...]) -> Expr | None:
    if len(relations) != 1 or relations[0].shape.columns is not None:
        return None
    whole = relations[0]
    return Whole(Type.RECORD, _NOWHERE, whole.key)


_NOWHERE = Span(0, 0)


def _select_list(
    nodes: tuple[ast.SelectItem, ...], scope: Scope, environment: Environment
) -> list[Item]:
    explicit: dict[str, ast.SelectItem] = {}
    for number, node in enumerate(nodes, 1):
        if isinstance(node.value, ast.Star):
            continue
        name = output_name(node, number, environment.level)
        if name.lower() in explicit and _is_named(node):
            twice = BindError(
                f"two columns are named {name}", (node.alias or node).span, "give one another alias"
            )
            environment.report(twice)
        explicit[name.lower()] = node
    items: list[Item] = []
    taken: set[str] = set()
    attempt = environment.attempt
    for number, node in enumerate(nodes, 1):
        if isinstance(node.value, ast.Star):
            for spread, value in attempt(partial(_star, node.value, scope), _no_items):
                if spread is None:
                    items.append((None, value))
                    continue
                spread = spread.lower() if environment.level == "1.0" else spread
                if spread.lower() not in explicit.keys() | taken:
                    items.append((spread, value))
                    taken.add(spread.lower())
            continue
        name = output_name(node, number, environment.level)
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        items.append((name, bind_value(node.value, scope)))
    return items


def _is_named(node: ast.SelectItem) -> bool:
    """Tell whether the column's name was chosen by the query, not derived from a call."""
    return node.alias is not None or isinstance(node.value, ast.Path)


def _star(star: ast.Star, scope: Scope) -> list[Item]:
    """Return what a star stands for: known columns by name, open relations to be spread."""
    if not star.prefix:
        items: list[Item] = []
        for source in scope.sources:
            if source.key == MAIN:
                items += _all_of(source, star)
            else:  # the element of an APPLY is one record column (language.md, SELECT)
                items.append((source.alias, Whole(Type.RECORD, star.span, source.key)))
        return items
    owner = scope.source(star.prefix[0].text)
    if owner is not None and len(star.prefix) == 1:
        return _all_of(owner, star)
    value = bind_value(ast.Path(star.span, star.prefix), scope)
    if value.type not in (Type.ANY, Type.RECORD, Type.NULL):
        raise BindError(
            f"{star.prefix[-1].text} is {value.type}, and only a record has fields", star.span
        )
    return [(None, value)]


def _all_of(source: Source, star: ast.Star) -> list[Item]:
    columns = source.shape.columns
    if columns is None:
        return [(None, Whole(Type.RECORD, star.span, source.key))]
    return [(n, Field(t, star.span, source.key, (n,))) for n, t in columns.items()]


def _shape(items: list[Item]) -> Shape:
    if any(name is None for name, _ in items):
        return Shape()
    columns = {name: value.type for name, value in items if name is not None}
    return Shape(columns, tuple(columns))


def align(left: Shape, plan: Plan, right: Shape, node: ast.Query) -> Plan:
    """Return the right side of a UNION with its columns in the order of the left (by name)."""
    if left.columns is None or right.columns is None or left.order == right.order:
        return plan
    found = [find(name, right.columns) for name in left.order]
    if len(left.order) != len(right.order) or None in found:
        ours, theirs = ", ".join(left.order), ", ".join(right.order)
        raise BindError(
            f"UNION of ({ours}) with ({theirs})", node.span, "both need the same columns"
        )
    items = tuple(
        (name, Field(right.columns[f], node.span, MAIN, (f,)))
        for name, f in zip(left.order, found, strict=True)
        if f is not None
    )
    return Project(plan, items)
