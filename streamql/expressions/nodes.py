"""Bound expressions: every name resolved, every function found, every type known or `any`.

Few kinds, because operators are calls of the same registry. Equality ignores places in the query,
so that equal calls can be found and computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias

from ..errors import Span
from ..functions.aggregate import Aggregate
from ..functions.registry import Function
from ..types import Type


@dataclass(frozen=True, slots=True)
class _Expr:
    type: Type
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal(_Expr):
    """A constant of the query."""

    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Field(_Expr):
    """The value at a path of names in the current row of a relation."""

    relation: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole(_Expr):
    """The current row of a relation as one record."""

    relation: str


@dataclass(frozen=True, slots=True)
class MakeRecord(_Expr):
    """A record of the given fields; an item named None spreads the fields of a record value."""

    items: tuple[tuple[str | None, Expr], ...]


@dataclass(frozen=True, slots=True)
class Extract(_Expr):
    """The value at a path inside a record value."""

    value: Expr
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Timestamp(_Expr):
    """System.Timestamp() of the row."""


@dataclass(frozen=True, slots=True)
class Call(_Expr):
    """A function applied to arguments; infix operators are calls as well."""

    function: Function
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Cast(_Expr):
    """A value converted to `type`; NULL instead of an error with `lenient`."""

    value: Expr
    lenient: bool


@dataclass(frozen=True, slots=True)
class Case(_Expr):
    """The result of the first branch whose condition is true, else `otherwise`."""

    branches: tuple[tuple[Expr, Expr], ...]
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Coalesce(_Expr):
    """The first value that is not NULL; later ones are not evaluated for that row."""

    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Logic(_Expr):
    """`and` or `or` of two conditions, three-valued."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Not(_Expr):
    """The negation of a condition; unknown stays unknown."""

    value: Expr


@dataclass(frozen=True, slots=True)
class IsNull(_Expr):
    """Whether a value is NULL (never unknown)."""

    value: Expr
    negated: bool


@dataclass(frozen=True, slots=True)
class OneOf(_Expr):
    """Whether a value equals one of several; unknown if NULL is involved and none equals."""

    value: Expr
    items: tuple[Expr, ...]
    equals: Function


@dataclass(frozen=True, slots=True)
class Lifted(_Expr):
    """The result of a remote call that an operator below has made already."""

    name: str


@dataclass(frozen=True, slots=True)
class Aggregation(_Expr):
    """An aggregate over the rows of a group. The binder makes it; a Group operator computes it.

    `inputs` are the arguments, then the values of ORDER BY.
    """

    function: Aggregate
    inputs: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Analytic(_Expr):
    """A function of a row and the rows before it (OVER). An Analyze operator computes it.

    `kind` is `lag` (`number` rows back, 0 for LAST), `first` (ISFIRST in intervals of `number`
    ticks) or `aggregate`. `limit` is LIMIT DURATION in ticks, 0 where there is none.
    """

    kind: str
    function: Aggregate | None
    inputs: tuple[Expr, ...]
    number: int
    partition: tuple[Expr, ...]
    limit: int
    when: Expr | None
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class WindowIdentity(_Expr):
    """System.Window().Id in the select list of a grouped query."""


Expr: TypeAlias = (
    Literal | Field | Whole | MakeRecord | Extract | Timestamp | Call | Cast | Case | Coalesce
    | Logic | Not | IsNull | OneOf | Lifted | Aggregation | Analytic | WindowIdentity
)  # fmt: skip

GROUPED = "$group"
"""The relation a Group operator puts out: keys `k0`, `k1`, ..., aggregates `a0`, ..., `window`."""

ANALYTIC = "$analytic"
"""The relation that holds the results of analytic functions."""

TIME = "\ufdd0time"
"""The column of an input that holds each event's time, read ahead; no field has this name."""

TIMES = "$times"
"""The relation that holds the time of each joined relation's row, by the relation's key."""

META = "$meta"
"""The relation of the messages of events: `properties` (a record) and `event` (its number).

After a join it is `$meta.KEY`, where KEY is the key of the input's relation.
"""

CALLS = "$calls"
"""The relation that holds the results of lifted calls."""


def children(expr: Expr) -> Iterator[Expr]:
    """Yield the expressions directly below."""
    for part in fields(expr):
        yield from _inside(getattr(expr, part.name))


def _inside(value: object) -> Iterator[Expr]:
    if isinstance(value, _Expr):
        yield value  # type: ignore[misc]
    elif isinstance(value, tuple):
        for item in value:
            yield from _inside(item)


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield the expression and everything below it."""
    yield expr
    for child in children(expr):
        yield from walk(child)


def rebuild(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return the expression with `change` applied to each expression directly below."""

    def inside(value: object) -> object:
        if isinstance(value, _Expr):
            return change(value)  # type: ignore[arg-type]
        if isinstance(value, tuple):
            return tuple(inside(item) for item in value)
        return value

    changed = {}
    for part in fields(expr):
        old = getattr(expr, part.name)
        new = inside(old)
        if new != old:
            changed[part.name] = new
    return replace(expr, **changed) if changed else expr  # type: ignore[arg-type]


def can_fail(expr: Expr) -> bool:
    """Tell whether evaluating the expression may stop the job, or calls a user's function."""
    return any(
        (isinstance(e, Call) and e.function.can_fail) or (isinstance(e, Cast) and not e.lenient)
        for e in walk(expr)
    )
