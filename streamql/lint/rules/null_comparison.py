"""Nothing equals NULL, and nothing differs from it."""

from __future__ import annotations

from collections.abc import Iterator

from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject

_COMPARISONS = {"=", "<>", "<", "<=", ">", ">="}


def compare_with_null(subject: Subject) -> Iterator[Diagnostic]:
    """Find comparisons with NULL, which are never true."""
    for node in subject.nodes():
        match node:
            case ast.Binary(operator=sign, left=left, right=right) if sign in _COMPARISONS:
                among: tuple[ast.Expr, ...] = (left, right)
            case ast.In(items=items):
                among = items
            case _:
                continue
        if any(isinstance(v, ast.Literal) and v.value is None for v in among):
            negated = isinstance(node, ast.Binary) and node.operator == "<>"
            yield warning(
                "compare-with-null",
                "a comparison with NULL is never true",
                node.span,
                "write IS NOT NULL" if negated else "write IS NULL",
            )
