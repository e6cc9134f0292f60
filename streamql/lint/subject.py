"""What rules look at: the tree, the plan before it is optimized, and what is known around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields

from ..bind.scope import Environment
from ..expressions.nodes import Expr, walk
from ..plan.expressions import expressions_in
from ..plan.nodes import Job, Plan
from ..syntax import nodes as ast


@dataclass(frozen=True)
class Subject:
    """A script that is being checked.

    Attributes:
        script: its tree.
        job: its plan; parts that could not be bound are missing.
        environment: what it can name, its steps bound.
        open: the names that nothing is registered for.
        times: the names of columns that hold times, by input in lower case.
        checkpoints: the job is to be restarted from checkpoints.
    """

    script: ast.Script
    job: Job
    environment: Environment
    open: tuple[str, ...] = ()
    times: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checkpoints: bool = False

    def nodes(self) -> Iterator[ast.Node]:
        """Yield all nodes of the tree."""
        return nodes_of(self.script)

    def queries(self) -> Iterator[ast.Query]:
        """Yield the queries of steps, then the statements."""
        yield from (step.query for step in self.script.steps)
        yield from self.script.statements

    def selects(self) -> Iterator[ast.Select]:
        """Yield all SELECTs, those in FROM too."""
        return (n for n in self.nodes() if isinstance(n, ast.Select))

    def plans(self) -> Iterator[Plan]:
        """Yield all nodes of the plan once, those of unused steps too."""
        yield from plans_below((*self.job.writes, *(s[1] for s in self.environment.steps.values())))


def plans_below(plans: Iterable[Plan]) -> Iterator[Plan]:
    """Yield plan nodes and all that they read, each once."""
    seen: set[int] = set()
    stack = list(plans)
    while stack:
        plan = stack.pop()
        if id(plan) not in seen:
            seen.add(id(plan))
            stack += plan.inputs
            yield plan


def nodes_of(node: ast.Node) -> Iterator[ast.Node]:
    """Yield a tree and all nodes in it."""
    yield node
    for part in fields(node):
        value = getattr(node, part.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, ast.Node):
                yield from nodes_of(inner)


def parts_of(plan: Plan) -> Iterator[Expr]:
    """Yield all expressions in a plan node, and everything in them."""
    for expr in expressions_in(plan):
        yield from walk(expr)


def tables_of(source: ast.Source | None) -> Iterator[ast.Table]:
    """Yield the inputs and steps that a FROM reads itself."""
    match source:
        case ast.Table():
            yield source
        case ast.Join(left=left, right=right):
            yield from tables_of(left)
            yield from tables_of(right)
        case ast.Apply(source=inner) | ast.MatchRecognize(source=inner):
            yield from tables_of(inner)
        case _:
            return


def conjuncts(node: ast.Expr | None) -> Iterator[ast.Expr]:
    """Yield the conditions that AND puts together."""
    if isinstance(node, ast.And):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    elif node is not None:
        yield node
