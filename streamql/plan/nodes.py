"""Logical plan nodes. Frozen; `str` names the operator in figures and in `why`.

A node that two others read is one object: steps used twice are computed once. Nodes compare by
identity for that reason; rules make new nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

from ..expressions.nodes import Aggregation, Analytic, Call, Expr
from ..functions.table import TableFunction
from ..types import Type
from .pattern import Automaton, Pick, Variable
from .windows import Hopping, Window


@dataclass(frozen=True, eq=False)
class Scan:
    """Read an input. Each use with a time of its own is its own reader.

    `columns` are what CREATE TABLE declares; None without one.
    """

    input: str
    columns: tuple[tuple[str, Type], ...] | None = None

    @property
    def inputs(self) -> tuple[Plan, ...]:
        """The plans this one reads."""
        return ()

    def with_inputs(self, inputs: tuple[Plan, ...]) -> Self:
        """Return the same node over other plans."""
        return self

    def __str__(self) -> str:
        listed = ", ".join(f"{name} {kind}" for name, kind in self.columns or ())
        return f"scan {self.input}" + (f" ({listed})" if listed else "")


@dataclass(frozen=True, eq=False)
class _OneInput:
    source: Plan

    @property
    def inputs(self) -> tuple[Plan, ...]:
        """The plans this one reads."""
        return (self.source,)

    def with_inputs(self, inputs: tuple[Plan, ...]) -> Self:
        """Return the same node over other plans."""
        return replace(self, source=inputs[0])


@dataclass(frozen=True, eq=False)
class SetTime(_OneInput):
    """Give each event its time (TIMESTAMP BY); drop events without one."""

    value: Expr
    input: str
    over: tuple[Expr, ...] = ()

    def __str__(self) -> str:
        return f"timestamp of {self.input}"


@dataclass(frozen=True, eq=False)
class Narrow(_OneInput):
    """Keep some fields of the main relation, as columns: what waits should not carry the rest.

    `timed`: a SetTime reads it, which gives rows their time; others go by their arrival. `time` is
    the path of the field that it takes the time from, where that is a field: it becomes the column
    TIME.
    """

    names: tuple[str, ...]
    timed: bool
    time: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return "narrow to " + ", ".join(self.names)


@dataclass(frozen=True, eq=False)
class Filter(_OneInput):
    """Keep the rows for which the predicate is true."""

    predicate: Expr

    def __str__(self) -> str:
        return "filter"


@dataclass(frozen=True, eq=False)
class Project(_OneInput):
    """Compute the select list. An item named None spreads the fields of a relation or record."""

    items: tuple[tuple[str | None, Expr], ...]

    def __str__(self) -> str:
        return "project " + ", ".join(name or "*" for name, _ in self.items)


@dataclass(frozen=True, eq=False)
class Unnest(_OneInput):
    """CROSS or OUTER APPLY: one row for each element or property of a value.

    `function` is a built-in one in lower case, or a table function of the user's.
    """

    function: str | TableFunction
    argument: Expr
    alias: str
    outer: bool

    def __str__(self) -> str:
        function = self.function
        name = f"udf.{function.name}" if isinstance(function, TableFunction) else function
        return f"{'outer' if self.outer else 'cross'} apply {name} as {self.alias}"


@dataclass(frozen=True, eq=False)
class Score(_OneInput):
    """Make remote calls, batched and in parallel, for the rows whose guard is true."""

    name: str
    call: Call
    guard: Expr | None

    def __str__(self) -> str:
        function = self.call.function
        return f"{'call' if function.drops else 'score'} udf.{function.name}"


@dataclass(frozen=True, eq=False)
class Analyze(_OneInput):
    """Compute analytic functions; puts the relation `$analytic` beside the others."""

    calls: tuple[tuple[str, Analytic], ...]

    def __str__(self) -> str:
        return "analyze " + ", ".join(name for name, _ in self.calls)


@dataclass(frozen=True, eq=False)
class Group(_OneInput):
    """GROUP BY: one row for each window and key, at the end of the window; relation `$group`."""

    windows: tuple[Window, ...]
    keys: tuple[Expr, ...]
    aggregations: tuple[Aggregation, ...]

    def __str__(self) -> str:
        names = [
            "tumbling" if isinstance(w, Hopping) and w.tumbling else type(w).__name__.lower()
            for w in self.windows
        ]
        count = len(self.keys)
        keys = [f"{count} key{'s' * (count > 1)}"] if count else []
        return "group by " + ", ".join([*names, *keys])


@dataclass(frozen=True, slots=True)
class Bound:
    """`low <= DATEDIFF(unit, left, right) <= high` between rows of two relations.

    `unit` is the length of the unit in ticks and `origin` where its boundaries count from;
    `left` is the key of the relation on the left side.
    """

    unit: int
    origin: int
    left: str
    low: int | None
    high: int | None


@dataclass(frozen=True, eq=False)
class Join:
    """A temporal join. Rows match when all bounds, the equal keys and the condition hold.

    The sides' main relations become the relations `left_key` and `right_key` (None: the left side
    is a join already, and its relations have their names). `lag` is how much older, in ticks, a row
    of a relation on the left can be than the joined row it is part of.
    """

    left: Plan
    right: Plan
    outer: bool
    left_key: str | None
    right_key: str
    bounds: tuple[Bound, ...]
    keys: tuple[tuple[Expr, Expr], ...]
    condition: Expr | None
    lag: int = 0

    @property
    def inputs(self) -> tuple[Plan, ...]:
        """The plans this one reads."""
        return (self.left, self.right)

    def with_inputs(self, inputs: tuple[Plan, ...]) -> Self:
        """Return the same node over other plans."""
        return replace(self, left=inputs[0], right=inputs[1])

    def __str__(self) -> str:
        return f"{'left ' if self.outer else ''}join {self.right_key}"


@dataclass(frozen=True, eq=False)
class Lookup(_OneInput):
    """A join with reference data: its columns become the relation `right_key`.

    `steps` are the filters and projections of a WITH step over the reference data, in order.
    """

    reference: str
    outer: bool
    left_key: str | None
    right_key: str
    keys: tuple[tuple[Expr, Expr], ...]
    condition: Expr | None
    steps: tuple[Filter | Project | Unnest, ...] = ()

    def __str__(self) -> str:
        return f"{'left ' if self.outer else ''}join reference {self.reference}"


@dataclass(frozen=True, eq=False)
class Union:
    """All rows of several plans."""

    sources: tuple[Plan, ...]

    @property
    def inputs(self) -> tuple[Plan, ...]:
        """The plans this one reads."""
        return self.sources

    def with_inputs(self, inputs: tuple[Plan, ...]) -> Self:
        """Return the same node over other plans."""
        return replace(self, sources=inputs)

    def __str__(self) -> str:
        return "union"


@dataclass(frozen=True, eq=False)
class Recognize(_OneInput):
    """MATCH_RECOGNIZE: one row of measures for each match, at the time of its last event.

    `limit` is LIMIT DURATION in ticks, `kept` what is kept of each event that may still be bound,
    `picks` what is asked of bound events; conditions and measures read the picks.
    """

    limit: int
    partition: tuple[Expr, ...]
    variables: tuple[Variable, ...]
    pattern: Automaton
    kept: tuple[Expr, ...]
    picks: tuple[Pick, ...]
    measures: tuple[tuple[str, Expr], ...]

    def __str__(self) -> str:
        return "match " + ", ".join(v.name for v in self.variables)


@dataclass(frozen=True, eq=False)
class Write(_OneInput):
    """Send the rows to an output. `names` are the columns where all are known, else None."""

    output: str
    names: tuple[str, ...] | None

    def __str__(self) -> str:
        return f"write {self.output}"


Plan: TypeAlias = (
    Scan | Narrow | SetTime | Filter | Project | Unnest | Score | Analyze | Group | Join | Lookup
    | Union | Recognize | Write
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a relation's columns: their names and types, or None if it is open.

    `declared` tells that CREATE TABLE says so.
    """

    columns: dict[str, Type] | None = None
    order: tuple[str, ...] = ()
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A compiled script: its writes, and the names of what it reads and writes.

    `references` are the names of the reference data that it joins with, `tables` the columns that
    CREATE TABLE declares.
    """

    writes: tuple[Write, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    references: tuple[str, ...] = ()
    tables: Mapping[str, tuple[tuple[str, Type], ...]] = field(default_factory=dict)


def plans_below(plans: Iterable[Plan]) -> Iterator[Plan]:
    """Yield nodes and all that they read, each once."""
    seen: set[int] = set()
    stack = list(plans)
    while stack:
        plan = stack.pop()
        if id(plan) not in seen:
            seen.add(id(plan))
            stack += plan.inputs
            yield plan
