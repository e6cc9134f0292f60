"""What looks at time goes by arrival, though the events hold a time of their own."""

from __future__ import annotations

from collections.abc import Iterator

from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject, is_bounded, tables_of


def window_over_arrival(subject: Subject) -> Iterator[Diagnostic]:
    """Find windows, joins and LAG over an input with a column of times and no TIMESTAMP BY."""
    steps = {s.name.text.lower(): s for s in subject.script.steps}
    told: set[int] = set()
    for query in subject.queries():
        for select in (n for n in ast.nodes_of(query) if isinstance(n, ast.Select)):
            what = _looks_at_time(select)
            if what is None:
                continue
            for table in _inputs_below(select.source, steps):
                columns = subject.times.get(table.name.text.lower(), ())
                if table.timestamp_by is None and columns and id(table) not in told:
                    told.add(id(table))
                    yield warning(
                        "window-over-arrival",
                        f"{what} over {table.name.text} goes by arrival, and its column "
                        f"{columns[0]} holds a time",
                        table.name.span,
                        f"write FROM {table.name.text} TIMESTAMP BY {columns[0]}",
                    )


def _looks_at_time(select: ast.Select) -> str | None:
    if select.group_by:
        return "a window"
    for node in ast.nodes_of(select):
        match node:
            case ast.Join(condition=condition) if is_bounded(condition):
                return "a join"
            case ast.MatchRecognize():
                return "MATCH_RECOGNIZE"
            case ast.Call(over=ast.Over(), name=name):
                return name.text.upper()
            case _:
                pass
    return None


def _inputs_below(source: ast.Source | None, steps: dict[str, ast.Step]) -> Iterator[ast.Table]:
    """Yield the inputs whose time a FROM goes by, through the steps that it reads."""
    for table in tables_of(source):
        step = steps.get(table.name.text.lower())
        if step is None:
            yield table
            continue
        rest = {name: s for name, s in steps.items() if s is not step}
        for select in (n for n in ast.nodes_of(step.query) if isinstance(n, ast.Select)):
            yield from _inputs_below(select.source, rest)
