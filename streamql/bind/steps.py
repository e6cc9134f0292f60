"""A WITH step's name used as a value: `udf.score(Dataframe)` (docs: scoring, the argument).

Where the step is the row's own relation this is simply the whole row. Where the step is a row-wise
projection of the same source, the value is that projection of the current row. Anything else has no
single row to stand for, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import BindError
from ..expressions.nodes import Expr, MakeRecord, Whole
from ..syntax import nodes as ast
from ..types import Type
from .names import output_name
from .scope import Scope, Source

Bind = Callable[[ast.Expr, Scope], Expr]


def step_as_value(node: ast.Path, scope: Scope, bind: Bind) -> Expr:
    """Return the record that the step makes of the current row.

    Raises BindError when the step is not a row-wise projection of the source at hand.
    """
    name = node.names[0].text
    found = scope.environment.step(name)
    assert found is not None
    step = found[0]
    fix = f"read the step itself: FROM {step.name.text}"
    query = step.query
    reason = _not_row_wise(query)
    if reason is not None or not isinstance(query, ast.Select):
        raise BindError(
            f"step {step.name.text} {reason}, so it is no value of this row", node.span, fix
        )
    table = query.source
    assert isinstance(table, ast.Table)
    same = [s for s in scope.sources if s.table.lower() == table.name.text.lower()]
    if not same:
        raise BindError(
            f"step {step.name.text} reads {table.name.text}, which this SELECT does not read",
            node.span,
            fix,
        )
    return _projection(query, table, same[0], node, scope, bind)


def _not_row_wise(query: ast.Query) -> str | None:
    """Return what makes a step more than a row-wise projection, None if nothing does."""
    if not isinstance(query, ast.Select):
        return "joins several queries by UNION"
    if query.where is not None or query.having is not None:
        return "filters its rows"
    if query.group_by:
        return "groups its rows"
    if not isinstance(query.source, ast.Table):
        return "does not read a single input"
    return None


def _projection(
    query: ast.Select,
    table: ast.Table,
    source: Source,
    node: ast.Path,
    scope: Scope,
    bind: Bind,
) -> Expr:
    alias = (table.alias or table.name).text
    inner = Scope(scope.environment, (Source(alias, source.key, source.shape, source.table),))
    items: list[tuple[str | None, Expr]] = []
    for number, item in enumerate(query.items, 1):
        if isinstance(item.value, ast.Star):
            if item.value.prefix and item.value.prefix[0].text.lower() != alias.lower():
                items.append((None, bind(ast.Path(item.value.span, item.value.prefix), inner)))
            else:
                items.append((None, Whole(Type.RECORD, item.span, source.key)))
        else:
            label = output_name(item, number, scope.environment.level)
            items.append((label, bind(item.value, inner)))
    return MakeRecord(Type.RECORD, node.span, tuple(items))
