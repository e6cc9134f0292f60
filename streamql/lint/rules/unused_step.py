"""A step that nobody reads is work for nothing, or a name is misspelt."""

from __future__ import annotations

from collections.abc import Iterator

from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject


def unused_step(subject: Subject) -> Iterator[Diagnostic]:
    """Find steps of WITH that no later step and no statement names."""
    steps = subject.script.steps
    for number, step in enumerate(steps):
        name = step.name.text.lower()
        later = [s.query for s in steps[number + 1 :]]
        if not any(_names(query, name) for query in (*later, *subject.script.statements)):
            yield warning(
                "unused-step",
                f"the step {step.name.text} is never read",
                step.name.span,
                "remove it, or read it with FROM " + step.name.text,
            )


def _names(query: ast.Query, name: str) -> bool:
    """Tell whether a query reads a step in FROM, or as a value."""
    for node in ast.nodes_of(query):
        if isinstance(node, ast.Table) and node.name.text.lower() == name:
            return True
        if isinstance(node, ast.Path) and node.names[0].text.lower() == name:
            return True
    return False
