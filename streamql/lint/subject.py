"""What rules look at: the tree, the plan before it is optimized, and what is known around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..bind.scope import Environment
from ..plan.nodes import Job, Plan, plans_below
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
        return ast.nodes_of(self.script)

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


def is_bounded(condition: ast.Node) -> bool:
    """Tell whether a condition says how far apart in time two rows may be."""
    return any(
        isinstance(n, ast.Call) and n.name.text.lower() == "datediff"
        for n in ast.nodes_of(condition)
    )
