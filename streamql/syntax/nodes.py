"""The syntax tree: what was written, and where. Plain frozen values; equality ignores places.

Names keep the spelling of the query. Nothing here knows which functions or inputs exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias

from ..errors import Span
from .expression_nodes import (
    And,
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Duration,
    Expr,
    In,
    IsNull,
    Like,
    Literal,
    Member,
    Name,
    Node,
    Not,
    Or,
    OrderItem,
    Over,
    Path,
    Star,
    Unary,
    When,
)

__all__ = [
    "And",
    "Apply",
    "Between",
    "Binary",
    "Call",
    "Case",
    "Cast",
    "ColumnDefinition",
    "CreateTable",
    "Definition",
    "Duration",
    "Expr",
    "GroupItem",
    "In",
    "IsNull",
    "Join",
    "Like",
    "Literal",
    "MatchRecognize",
    "Measure",
    "Member",
    "Name",
    "Node",
    "Not",
    "Or",
    "OrderItem",
    "Over",
    "PartitionBy",
    "Path",
    "Pattern",
    "PatternChoice",
    "PatternRepeat",
    "PatternSequence",
    "PatternVariable",
    "Query",
    "Script",
    "Select",
    "SelectItem",
    "Source",
    "Span",
    "Star",
    "Step",
    "Subquery",
    "Table",
    "TimestampBy",
    "Unary",
    "Union",
    "When",
    "Window",
    "Windows",
]

# -- windows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window(Node):
    """A window function in GROUP BY.

    `kind` is tumbling, hopping, sliding, session or snapshot (`System.Timestamp()` inside
    Windows()); `durations` are its arguments in order, offset last where given; `identity` the id
    from Window('id', ...); `partition_by` of SessionWindow(...) OVER (PARTITION BY ...).
    """

    kind: str
    durations: tuple[Duration, ...]
    identity: Literal | None = None
    partition_by: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Windows(Node):
    """`Windows(def, ...)`; a nested Windows is kept so that the binder can refuse it by place."""

    members: tuple[Window | Windows, ...]


GroupItem: TypeAlias = Expr | Window | Windows


# -- FROM ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimestampBy(Node):
    """`TIMESTAMP BY value [OVER key, ...]`."""

    value: Expr
    over: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class PartitionBy(Node):
    """`PARTITION BY key, ... [INTO count]`."""

    keys: tuple[Expr, ...]
    count: Literal | None = None


@dataclass(frozen=True, slots=True)
class Table(Node):
    """An input or step in FROM, with its alias and clauses."""

    name: Name
    alias: Name | None = None
    timestamp_by: TimestampBy | None = None
    partition_by: PartitionBy | None = None


@dataclass(frozen=True, slots=True)
class Subquery(Node):
    """`(SELECT ...) alias` in FROM: an extension, bound like an unnamed step."""

    query: Query
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class Join(Node):
    """`left [INNER | LEFT [OUTER]] JOIN right ON condition`; `kind` is inner or left."""

    left: Source
    kind: str
    right: Table | Subquery
    condition: Expr


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """`source CROSS|OUTER APPLY fn(argument) [AS] alias`."""

    source: Source
    outer: bool
    call: Call
    alias: Name


@dataclass(frozen=True, slots=True)
class PatternVariable(Node):
    """A variable of a pattern, or `.` for any event."""

    name: str


@dataclass(frozen=True, slots=True)
class PatternSequence(Node):
    """Parts one after the other."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class PatternChoice(Node):
    """`a | b`."""

    options: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class PatternRepeat(Node):
    """`* + ? {n} {n,} {n,m}`; `most` None for no limit."""

    part: Pattern
    least: int
    most: int | None


Pattern: TypeAlias = PatternVariable | PatternSequence | PatternChoice | PatternRepeat


@dataclass(frozen=True, slots=True)
class Measure(Node):
    """`value AS name` in MEASURES."""

    value: Expr
    name: Name


@dataclass(frozen=True, slots=True)
class Definition(Node):
    """`name AS condition` in DEFINE."""

    name: Name
    condition: Expr


@dataclass(frozen=True, slots=True)
class MatchRecognize(Node):
    """`source MATCH_RECOGNIZE ( ... ) AS alias`."""

    source: Source
    limit: Duration | None
    partition_by: tuple[Expr, ...]
    measures: tuple[Measure, ...]
    pattern: Pattern
    definitions: tuple[Definition, ...]
    alias: Name | None = None


Source: TypeAlias = Table | Subquery | Join | Apply | MatchRecognize


# -- statements ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SelectItem(Node):
    """One item of a select list: an expression with an optional alias, or a Star."""

    value: Expr
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`SELECT items [INTO into] FROM source [WHERE] [GROUP BY] [HAVING]`.

    `source` is None when FROM is missing: the binder refuses that with a good message.
    """

    items: tuple[SelectItem, ...]
    into: Name | None
    source: Source | None
    where: Expr | None = None
    group_by: tuple[GroupItem, ...] = ()
    having: Expr | None = None


@dataclass(frozen=True, slots=True)
class Union(Node):
    """`left UNION right` (all rows are kept)."""

    left: Query
    right: Query


Query: TypeAlias = Select | Union


@dataclass(frozen=True, slots=True)
class Step(Node):
    """`name AS (query)` of WITH."""

    name: Name
    query: Query


@dataclass(frozen=True, slots=True)
class ColumnDefinition(Node):
    """`name type` of CREATE TABLE."""

    name: Name
    type: Name


@dataclass(frozen=True, slots=True)
class CreateTable(Node):
    """`CREATE TABLE name (column type, ...)`."""

    name: Name
    columns: tuple[ColumnDefinition, ...]


@dataclass(frozen=True, slots=True)
class Script(Node):
    """A whole script."""

    tables: tuple[CreateTable, ...]
    steps: tuple[Step, ...]
    statements: tuple[Query, ...]


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a tree and all nodes in it."""
    yield node
    for part in fields(node):
        value = getattr(node, part.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Node):
                yield from nodes_of(inner)
