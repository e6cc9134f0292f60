"""The syntax tree: what was written, and where. Plain frozen values; equality ignores places.

Names keep the spelling of the query. Nothing here knows which functions or inputs exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from ..errors import Span


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of the script. `span` covers its text."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """An identifier, without its quotes; `quoted` if it was written in [..] or ".."."""

    text: str
    quoted: bool = field(default=False, compare=False)


# -- expressions --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant: int (bigint), float, str, or None for NULL."""

    value: int | float | str | None


@dataclass(frozen=True, slots=True)
class Path(Node):
    """A dotted name: column, alias.column, a.b.c, or the name of an input or step as a value."""

    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Star(Node):
    """`*` (prefix empty) or `alias.*`, `record.path.*`; in COUNT(*), LAG(*) and select lists."""

    prefix: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x`, `+x`, `~x` (operator is the sign)."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`+ - * / % & | ^` and the comparisons `= <> < <= > >=` (!=, !<, !> are normalised)."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class And(Node):
    """`left AND right`."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Or(Node):
    """`left OR right`."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Not(Node):
    """`NOT operand`."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`operand [NOT] BETWEEN low AND high`."""

    operand: Expr
    low: Expr
    high: Expr
    negated: bool = False


@dataclass(frozen=True, slots=True)
class In(Node):
    """`operand [NOT] IN (items)`."""

    operand: Expr
    items: tuple[Expr, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like(Node):
    """`operand [NOT] LIKE pattern`."""

    operand: Expr
    pattern: Expr
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand IS [NOT] NULL`."""

    operand: Expr
    negated: bool = False


@dataclass(frozen=True, slots=True)
class When(Node):
    """`WHEN condition THEN result`; in a simple CASE the condition is a value."""

    condition: Expr
    result: Expr


@dataclass(frozen=True, slots=True)
class Case(Node):
    """`CASE [operand] WHEN ... [ELSE otherwise] END`; `otherwise` None when ELSE is missing."""

    operand: Expr | None
    whens: tuple[When, ...]
    otherwise: Expr | None


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`CAST(operand AS type)`, or TRY_CAST with `lenient`; `type` as written: nvarchar(max)."""

    operand: Expr
    type: Name
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """`DURATION(unit, n)`, `Hop(..)`, `Offset(..)`, `Timeout(..)`, `MaxDuration(..)`, or a window's
    bare `unit, n`; `kind` is the lower-case word, "" for the bare form."""

    kind: str
    unit: Name
    amount: Expr


@dataclass(frozen=True, slots=True)
class OrderItem(Node):
    """`expr [ASC|DESC]`."""

    value: Expr
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Over(Node):
    """`OVER ([PARTITION BY ...] [ORDER BY ...] [LIMIT DURATION(..)] [WHEN cond])`."""

    partition_by: tuple[Expr, ...] = ()
    order_by: tuple[OrderItem, ...] = ()
    limit: Duration | None = None
    when: Expr | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function call.

    `prefix` holds the names before the last dot (`udf`, `uda`, `System`); `distinct` for
    COUNT(DISTINCT x); arguments of `COUNT(*)` are (Star,). A time unit as first argument (DATEADD,
    ISFIRST, ...) is a plain Path. `System.Timestamp` without parentheses is a Call as well.
    `System.Window().Id` is Call(prefix=(System,), name=Window) wrapped in Member(..., Id).
    """

    prefix: tuple[Name, ...]
    name: Name
    arguments: tuple[Expr, ...] = ()
    distinct: bool = False
    over: Over | None = None


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`value.name` where the value is no plain name: `udf.score(x).[Label]`, `(expr).field`."""

    value: Expr
    name: Name


Expr: TypeAlias = (
    Literal | Path | Star | Unary | Binary | And | Or | Not | Between | In | Like | IsNull
    | Case | Cast | Call | Member
)  # fmt: skip


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
