"""Logical plan nodes. Frozen; `str` is the line that `explain` shows.

A node that two others read is one object: steps used twice are computed once. Nodes compare by
identity for that reason; rules make new nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from ..expressions.nodes import Call, Expr
from ..types import Type


@dataclass(frozen=True, eq=False)
class Scan:
    """Read an input. Each use with a time of its own is its own reader."""

    input: str

    @property
    def inputs(self) -> tuple[Plan, ...]:
        """The plans this one reads."""
        return ()

    def with_inputs(self, inputs: tuple[Plan, ...]) -> Self:
        """Return the same node over other plans."""
        return self

    def __str__(self) -> str:
        return f"scan {self.input}"


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

    def __str__(self) -> str:
        return f"timestamp of {self.input}"


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
    """CROSS or OUTER APPLY: one row for each element or property of a value."""

    function: str
    argument: Expr
    alias: str
    outer: bool

    def __str__(self) -> str:
        return f"{'outer' if self.outer else 'cross'} apply {self.function} as {self.alias}"


@dataclass(frozen=True, eq=False)
class Score(_OneInput):
    """Make remote calls, batched and in parallel, for the rows whose guard is true."""

    name: str
    call: Call
    guard: Expr | None

    def __str__(self) -> str:
        return f"score udf.{self.call.function.name}"


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
class Write(_OneInput):
    """Send the rows to an output. `names` are the columns where all are known, else None."""

    output: str
    names: tuple[str, ...] | None

    def __str__(self) -> str:
        return f"write {self.output}"


Plan: TypeAlias = Scan | SetTime | Filter | Project | Unnest | Score | Union | Write


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a relation's columns: their names and types, or None if it is open."""

    columns: dict[str, Type] | None = None
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A compiled script: its writes, and the names of what it reads and writes."""

    writes: tuple[Write, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
