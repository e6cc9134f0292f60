"""A condition on the right side in WHERE drops the rows that LEFT JOIN keeps."""

from __future__ import annotations

from collections.abc import Iterator

from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject, conjuncts


def outer_join_made_inner(subject: Subject) -> Iterator[Diagnostic]:
    """Find conditions of WHERE that are never true for rows without a partner."""
    for select in subject.selects():
        optional = {name.lower(): name for name in _right_sides(select.source)}
        if not optional:
            continue
        for condition in conjuncts(select.where):
            name = _names_side(condition, optional)
            if name is not None:
                yield warning(
                    "outer-join-made-inner",
                    f"this drops the rows for which the LEFT JOIN finds no {optional[name]}",
                    condition.span,
                    "write JOIN if that is meant, or move the condition to ON",
                )


def _right_sides(source: ast.Source | None) -> Iterator[str]:
    while isinstance(source, ast.Join | ast.Apply):
        if isinstance(source, ast.Join):
            alias = source.right.alias
            if alias is None and isinstance(source.right, ast.Table):
                alias = source.right.name
            if source.kind == "left" and alias is not None:
                yield alias.text
            source = source.left
        else:
            source = source.source


def _names_side(condition: ast.Expr, optional: dict[str, str]) -> str | None:
    """Return the optional side that a comparison looks at, outside of functions and CASE."""
    if not isinstance(condition, ast.Binary | ast.Between | ast.In | ast.Like):
        return None
    parts = list(ast.nodes_of(condition))
    if any(isinstance(p, ast.Call | ast.Case) for p in parts):
        return None
    for part in parts:
        if isinstance(part, ast.Path) and len(part.names) > 1:
            name = part.names[0].text.lower()
            if name in optional:
                return name
    return None
