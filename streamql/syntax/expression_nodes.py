"""The syntax tree of expressions. Part of `nodes`, which is what others import."""

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
