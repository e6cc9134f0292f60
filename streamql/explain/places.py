"""Where in the query the nodes of a plan come from."""

from __future__ import annotations

from ..errors import Span
from ..plan.expressions import expressions_in
from ..plan.nodes import Plan, Scan, Write
from ..syntax import nodes as ast


def place_of(plan: Plan, script: ast.Script) -> Span | None:
    """Return where a node comes from; None where nothing tells."""
    if isinstance(plan, Scan):
        return _of_input(plan.input, script)
    if isinstance(plan, Write):
        return _of_output(plan.output, script)
    spans = [e.span for e in expressions_in(plan) if e.span.end > e.span.start]
    return min(spans, key=lambda s: s.start) if spans else None


def _of_input(name: str, script: ast.Script) -> Span | None:
    for node in ast.nodes_of(script):
        if isinstance(node, ast.Table) and node.name.text.lower() == name.lower():
            return node.name.span
    return None


def _of_output(name: str, script: ast.Script) -> Span | None:
    for statement in script.statements:
        query: ast.Query = statement
        while isinstance(query, ast.Union):
            query = query.left
        if query.into is None and name == "output":
            return Span(query.span.start, query.span.start + len("SELECT"))
        if query.into is not None and query.into.text.lower() == name.lower():
            return query.into.span
    return None
