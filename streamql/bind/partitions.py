"""PARTITION BY after an input: what a SELECT computes for each partition alone.

A partition knows nothing of the events of another one, so its keys are added to those of groups,
sessions, analytic functions and MATCH_RECOGNIZE, where the query does not name them itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..errors import BindError, Span
from ..expressions.nodes import Analytic, Expr, Field, Timestamp, Whole, rebuild, walk
from ..syntax import nodes as ast
from ..types import Type
from .scope import Scope, Source


def lowered(expr: Expr) -> Expr:
    """Return an expression with the names of its fields in lower case, to be compared."""
    if isinstance(expr, Field):
        return replace(expr, path=tuple(p.lower() for p in expr.path), type=Type.ANY)
    return rebuild(expr, lowered)


def partition_of(scope: Scope) -> tuple[Expr, ...]:
    """Return the keys by which a SELECT is partitioned.

    Of a join these are the keys of its first partitioned relation: ON makes those of the others
    equal, and where a LEFT JOIN finds none they are NULL.
    """
    return next((s.partition for s in scope.sources if s.partition), ())


def with_keys(keys: Iterable[Expr], added: Iterable[Expr]) -> tuple[Expr, ...]:
    """Return keys, and those of a partition that are not among them."""
    found = list(keys)
    known = [lowered(k) for k in found]
    found += [k for k in added if lowered(k) not in known]
    return tuple(found)


def in_partition(call: Analytic, scope: Scope) -> Analytic:
    """Return an analytic function that sees no more than the events of its partition."""
    parts = list(walk(call))
    looked_at = {e.relation for e in parts if isinstance(e, Field | Whole)}
    streams: list[Source] = [s for s in scope.sources if s.key in looked_at and s.table]
    alone = len(looked_at) == 1 and not any(isinstance(e, Timestamp) for e in parts)
    keys = streams[0].partition if alone and streams else partition_of(scope)
    return replace(call, partition=with_keys(call.partition, keys)) if keys else call


def check_union(left: ast.Query, right: ast.Query) -> None:
    """Raise BindError unless both sides of a UNION that have PARTITION BY have the same."""
    ours, theirs = _written(left), _written(right)
    if ours is None or theirs is None:
        return
    (mine, keys), (other, others) = ours, theirs
    if keys != others:
        raise BindError(
            f"UNION of a stream partitioned by {', '.join(keys)} with one by {', '.join(others)}",
            other.span,
            "both need the same PARTITION BY, or none",
        )
    if mine.count and other.count and mine.count.value != other.count.value:
        raise unequal_counts(other.span)


def unequal_counts(span: Span) -> BindError:
    """Return the error of two streams put together whose numbers of partitions differ."""
    return BindError(
        "both sides need the same number of partitions", span, "write the same INTO for both"
    )


def _written(query: ast.Query) -> tuple[ast.PartitionBy, list[str]] | None:
    """Return PARTITION BY of the first relation of a query, and its keys as texts."""
    from ..syntax.printer import print_expression

    while isinstance(query, ast.Union):
        query = query.left
    source = query.source
    while isinstance(source, ast.Apply | ast.MatchRecognize | ast.Join):
        source = source.left if isinstance(source, ast.Join) else source.source
    if not isinstance(source, ast.Table) or source.partition_by is None:
        return None
    alias = (source.alias or source.name).text.lower() + "."
    keys = [print_expression(key).lower() for key in source.partition_by.keys]
    return source.partition_by, [key.removeprefix(alias) for key in keys]
