"""A whole script: tables, steps, statements."""

from __future__ import annotations

from functools import partial

from ..errors import BindError
from ..plan.nodes import Job, Plan, Scan, Shape, Union, Write
from ..syntax import nodes as ast
from ..types import Type
from .partitions import check_union
from .scope import Environment
from .select import align, bind_select
from .sources import Sources
from .tables import declare

DEFAULT_OUTPUT = "output"


def bind_script(script: ast.Script, environment: Environment) -> Job:
    """Return the typed plan of a script.

    Raises BindError with the place in the query. Steps are bound once, in their
    order, whether they are used or not: a mistake in an unused step is a mistake.
    """
    attempt = environment.attempt
    for table in script.tables:
        attempt(partial(declare, table, environment), _nothing)
    sources = Sources(environment, lambda query: _bind_query(query, sources))
    for step in script.steps:
        plan, shape = attempt(partial(_bind_step, step, sources), _broken)
        environment.steps[step.name.text.lower()] = (step, plan, shape)
    writes: list[Write] = []
    outputs: dict[str, str] = {}
    for statement in script.statements:
        output = attempt(partial(_output, statement), lambda: DEFAULT_OUTPUT)
        plan, shape = attempt(partial(_bind_query, statement, sources), _broken)
        name = outputs.setdefault(output.lower(), output)
        writes.append(Write(plan, name, None if shape.columns is None else shape.order))
    attempt(sources.check_substreams, _nothing)
    return Job(
        _merged(writes),
        tuple(environment.used),
        tuple(outputs.values()),
        tuple(environment.looked_up),
        dict(environment.tables),
    )


def _nothing() -> None:
    """Stands in for what could not be declared or checked."""


def _broken() -> tuple[Plan, Shape]:
    """Stand in for a query that could not be bound: whatever reads it finds its columns."""
    return Scan(""), Shape()


def _bind_step(step: ast.Step, sources: Sources) -> tuple[Plan, Shape]:
    environment = sources.environment
    name = step.name.text
    if environment.step(name) is not None:
        raise BindError(f"two steps are named {name}", step.name.span, "rename one of them")
    if environment.input(name) is not None:
        raise BindError(
            f"the step {name} has the name of an input", step.name.span, "rename the step"
        )
    for select in _selects(step.query):
        if select.into is not None:
            raise BindError(
                "INTO cannot stand inside of WITH",
                select.into.span,
                "write it in the SELECT that reads the step",
            )
    query = step.query
    reference = sources.reference_of(query.source) if isinstance(query, ast.Select) else None
    if reference is not None and isinstance(query, ast.Select) and not query.group_by:
        plan, shape = sources.bind_reference_step(query)
        environment.reference_steps[name.lower()] = reference
        return plan, shape
    return _bind_query(query, sources)


def _merged(writes: list[Write]) -> tuple[Write, ...]:
    """Let statements that write to one output be merged in order of time."""
    by_output: dict[str, list[Write]] = {}
    for write in writes:
        by_output.setdefault(write.output, []).append(write)
    merged = []
    for same in by_output.values():
        if len(same) == 1:
            merged.append(same[0])
            continue
        names = same[0].names if len({w.names for w in same}) == 1 else None
        merged.append(Write(Union(tuple(w.source for w in same)), same[0].output, names))
    return tuple(merged)


def _selects(query: ast.Query) -> list[ast.Select]:
    if isinstance(query, ast.Union):
        return _selects(query.left) + _selects(query.right)
    return [query]


def _output(statement: ast.Query) -> str:
    """Return where a statement writes: INTO of its first SELECT, or `output`."""
    first, *others = _selects(statement)
    name = DEFAULT_OUTPUT if first.into is None else first.into.text
    for other in others:
        if other.into is not None and other.into.text.lower() != name.lower():
            raise BindError(
                "a UNION writes to one output", other.into.span, "put INTO into its first SELECT"
            )
    return name


def _bind_query(query: ast.Query, sources: Sources) -> tuple[Plan, Shape]:
    if isinstance(query, ast.Select):
        return bind_select(query, sources)
    left, shape = _bind_query(query.left, sources)
    right, other = _bind_query(query.right, sources)
    sources.environment.attempt(partial(check_union, query.left, query.right), lambda: None)
    aligned = partial(align, shape, right, other, query.right)
    right = sources.environment.attempt(aligned, lambda: right)
    if shape.columns is None or other.columns is None:
        return Union((left, right)), Shape()
    if {n.lower() for n in shape.columns} != {n.lower() for n in other.columns}:
        return _broken()  # reported above
    theirs = {name.lower(): kind for name, kind in other.columns.items()}
    kinds = {n: t if theirs[n.lower()] is t else Type.ANY for n, t in shape.columns.items()}
    return Union((left, right)), Shape(kinds, shape.order)


def input_names(script: ast.Script) -> list[str]:
    """Return the names in FROM that are no steps, in their order: what the job needs as inputs."""
    steps = {s.name.text.lower() for s in script.steps}
    names: dict[str, str] = {}

    def visit_source(source: ast.Source | None) -> None:
        match source:
            case ast.Table(name=name):
                if name.text.lower() not in steps:
                    names.setdefault(name.text.lower(), name.text)
            case ast.Subquery(query=query):
                visit(query)
            case ast.Join(left=left, right=right):
                visit_source(left)
                visit_source(right)
            case ast.Apply(source=inner) | ast.MatchRecognize(source=inner):
                visit_source(inner)
            case None:
                pass

    def visit(query: ast.Query) -> None:
        for select in _selects(query):
            visit_source(select.source)

    for step in script.steps:
        visit(step.query)
    for statement in script.statements:
        visit(statement)
    return list(names.values())
