"""Rows of two kinds in one output: few readers expect that."""

from __future__ import annotations

from collections.abc import Iterator

from ...bind.names import output_name
from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject


def output_columns_differ(subject: Subject) -> Iterator[Diagnostic]:
    """Find statements that write other columns to an output than one before them."""
    known: dict[str, tuple[str, ...]] = {}
    for statement in subject.script.statements:
        select = _first(statement)
        columns = _columns(select, subject.environment.level)
        name = "output" if select.into is None else select.into.text
        if columns is None:
            continue
        before = known.setdefault(name.lower(), columns)
        if {c.lower() for c in before} != {c.lower() for c in columns}:
            place = select.items[0] if select.into is None else select.into
            yield warning(
                "output-columns-differ",
                f"{name} gets ({', '.join(columns)}) here and ({', '.join(before)}) before",
                place.span,
                "write INTO another output, or give both the same columns",
            )


def _first(query: ast.Query) -> ast.Select:
    while isinstance(query, ast.Union):
        query = query.left
    return query


def _columns(select: ast.Select, level: str) -> tuple[str, ...] | None:
    """Return the names of a select list; None where a star hides them."""
    if any(isinstance(item.value, ast.Star) for item in select.items):
        return None
    return tuple(output_name(item, n, level) for n, item in enumerate(select.items, 1))
