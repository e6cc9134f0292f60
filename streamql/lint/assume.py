"""What is taken for granted of a script's inputs that nobody has given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..bind.scope import Environment
from ..bind.script import input_names
from ..plan.nodes import Shape
from ..syntax import nodes as ast
from .diagnostic import Diagnostic, warning
from .subject import is_bounded, tables_of


def with_open_inputs(script: ast.Script, environment: Environment) -> tuple[Environment, list[str]]:
    """Return the environment with each name in FROM as an input, and the names that were added.

    Of these any column may be named. What stands only on the right of joins without a DATEDIFF is
    taken as reference data.
    """
    names = [n for n in input_names(script) if environment.input(n) is None]
    names += [
        t.name.text
        for t in script.tables
        if environment.input(t.name.text) is None
        and t.name.text.lower() not in {n.lower() for n in names}
    ]
    inputs = {**environment.inputs, **dict.fromkeys(names, Shape())}
    streams = {name.lower() for name in _streams(script)}
    assumed = {n for n in names if n.lower() in _looked_up(script) and n.lower() not in streams}
    known = replace(environment, inputs=inputs, references=environment.references | assumed)
    return known, names


def assumed_references(script: ast.Script, assumed: frozenset[str]) -> Iterator[Diagnostic]:
    """Yield a finding for each input that is taken as reference data."""
    told: set[str] = set()
    for node in ast.nodes_of(script):
        if isinstance(node, ast.Join) and isinstance(node.right, ast.Table):
            name = node.right.name
            if name.text in assumed and name.text not in told:
                told.add(name.text)
                yield warning(
                    "assumed-reference",
                    f"{name.text} is taken as reference data: ON has no DATEDIFF",
                    name.span,
                    f"say so with --reference {name.text}=FILE, or bound the join in time",
                )


def _looked_up(script: ast.Script) -> set[str]:
    return {
        node.right.name.text.lower()
        for node in ast.nodes_of(script)
        if isinstance(node, ast.Join)
        and isinstance(node.right, ast.Table)
        and node.right.timestamp_by is None
        and not is_bounded(node.condition)
    }


def _streams(script: ast.Script) -> Iterator[str]:
    """Yield the names that are read as streams somewhere."""
    for node in ast.nodes_of(script):
        if isinstance(node, ast.Select):
            source = node.source
            for table in tables_of(source):
                if table.timestamp_by is not None:
                    yield table.name.text
            while isinstance(source, ast.Join | ast.Apply | ast.MatchRecognize):
                right = source.right if isinstance(source, ast.Join) else None
                if isinstance(right, ast.Table) and is_bounded(source.condition):  # type: ignore[union-attr]
                    yield right.name.text
                source = source.left if isinstance(source, ast.Join) else source.source
            if isinstance(source, ast.Table):
                yield source.name.text
