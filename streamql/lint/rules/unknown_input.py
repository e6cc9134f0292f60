"""An input that nothing is registered for, and whose name is almost that of something known."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import nearest
from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject


def unknown_input(subject: Subject) -> Iterator[Diagnostic]:
    """Find names in FROM that are probably a misspelt step, table or input."""
    unregistered = {name.lower() for name in subject.open}
    declared = {t.name.text.lower() for t in subject.script.tables}
    known = [s.name.text for s in subject.script.steps]
    known += [name for name in subject.environment.inputs if name.lower() not in unregistered]
    known += [t.name.text for t in subject.script.tables]
    for node in subject.nodes():
        if isinstance(node, ast.Table):
            name = node.name.text.lower()
            if name not in unregistered or name in declared:
                continue
            near = nearest(name, (k for k in known if k.lower() != name))
            if near is not None:
                yield warning(
                    "unknown-input",
                    f"{node.name.text} is taken as an input of its own",
                    node.name.span,
                    f"did you mean {near}?",
                )
