"""Names that a SELECT can see, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import BindError, CompileError, Span, UsageError, suggest
from ..expressions.nodes import Expr, Field, Whole
from ..functions.registry import Registry
from ..plan.nodes import Plan, Shape
from ..plan.reads import Columns
from ..rows import find
from ..syntax import nodes as ast
from ..types import Type

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """One relation of FROM: its name or alias, the key of its rows, and its columns.

    Attributes:
        table: the input or step it reads, "" for others.
        over: the keys of its substreams (TIMESTAMP BY ... OVER).
        partition: the keys of PARTITION BY.
        shards: the number of its partitions (INTO), 0 where the query gives none.
        reference: it is reference data.
        aliased: its fields are named with its alias only: nobody knows what there are.
    """

    alias: str
    key: str
    shape: Shape
    table: str = ""
    over: tuple[Expr, ...] = ()
    partition: tuple[Expr, ...] = ()
    shards: int = 0
    reference: bool = False
    aliased: bool = False

    def field(self, names: tuple[ast.Name, ...]) -> Expr:
        """Return the field at a path; raises BindError when the columns are known and differ."""
        span = Span(names[0].span.start, names[-1].span.end)
        path = tuple(n.text for n in names)
        kind = Type.ANY
        if self.shape.columns is not None:
            known = find(path[0], self.shape.columns)
            if known is None:
                raise BindError(
                    f"{self.alias} has no column {path[0]}",
                    names[0].span,
                    suggest(path[0], self.shape.columns)
                    or ("CREATE TABLE declares " if self.shape.declared else "it has ")
                    + ", ".join(list(self.shape.columns)[:12]),
                )
            if len(path) == 1:
                kind = self.shape.columns[known]
        return Field(kind, span, self.key, path)


_NOW = "current_timestamp"
"""A function that other dialects call without brackets: here it does not exist."""


def refuse(error: CompileError | UsageError) -> None:
    """Let the first mistake be the only one."""
    raise error


@dataclass
class Environment:
    """What a script can name: inputs, steps, functions; and what the job is set to.

    `report` is told each mistake; a tool that wants all of them lets it return.
    """

    inputs: Mapping[str, Shape]
    references: frozenset[str]
    registry: Registry
    level: str
    timestamps: Mapping[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[ast.Step, Plan, Shape]] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)
    reference_steps: dict[str, str] = field(default_factory=dict)
    looked_up: dict[str, None] = field(default_factory=dict)
    tables: dict[str, Columns] = field(default_factory=dict)
    report: Callable[[CompileError | UsageError], None] = refuse

    def attempt(self, bind: Callable[[], T], instead: Callable[[], T]) -> T:
        """Return what `bind` gives; `instead`, once its mistake is reported."""
        try:
            return bind()
        except CompileError as error:
            self.report(error)
            return instead()

    def step(self, name: str) -> tuple[ast.Step, Plan, Shape] | None:
        """Return the step of this name (ignoring case)."""
        return self.steps.get(name.lower())

    def input(self, name: str) -> str | None:
        """Return the input's name as registered; None if there is none."""
        return find(name, self.inputs)


@dataclass
class Scope:
    """The relations of one FROM clause."""

    environment: Environment
    sources: tuple[Source, ...]

    def source(self, name: str) -> Source | None:
        """Return the relation with this alias or name."""
        lowered = name.lower()
        for candidate in self.sources:
            if candidate.alias.lower() == lowered:
                return candidate
        return None

    def resolve(self, path: ast.Path) -> Expr | None:
        """Return what a dotted name stands for, None if it can only be a step used as a value."""
        names = path.names
        first = names[0]
        owner = self.source(first.text)
        if owner is not None and len(names) > 1:
            return owner.field(names[1:])
        holding = [
            s
            for s in self.sources
            if s.shape.columns is not None and find(first.text, s.shape.columns)
        ]
        if owner is not None and not holding:
            return Whole(Type.RECORD, path.span, owner.key)
        if len(holding) > 1:
            raise self._ambiguous(first, holding)
        if holding:
            return holding[0].field(names)
        if len(names) == 1 and self.environment.step(first.text) is not None:
            return None
        if len(names) == 1 and first.text.lower() == _NOW and not first.quoted:
            raise BindError(
                f"unknown function {first.text}",
                path.span,
                f"System.Timestamp() is the time of the event; a column is written [{first.text}]",
            )
        open_sources = [s for s in self.sources if s.shape.columns is None and not s.aliased]
        if len(open_sources) == 1:
            return open_sources[0].field(names)
        if not open_sources:
            return self._unknown(first)
        raise self._ambiguous(first, open_sources)

    def _unknown(self, name: ast.Name) -> Expr:
        known = [c for s in self.sources for c in s.shape.columns or ()]
        declared = all(s.shape.declared for s in self.sources)
        whose = self.sources[0].alias if len(self.sources) == 1 else "no relation of FROM"
        text = (
            f"{whose} has no column {name.text}"
            if len(self.sources) == 1
            else f"{whose} has a column {name.text}"
        )
        raise BindError(
            text,
            name.span,
            suggest(name.text, known)
            or ("CREATE TABLE declares " if declared else "there is ") + ", ".join(known[:12]),
        )

    @staticmethod
    def _ambiguous(name: ast.Name, sources: list[Source]) -> BindError:
        choices = " or ".join(f"{s.alias}.{name.text}" for s in sources[:3])
        return BindError(
            f"{name.text} could belong to several inputs", name.span, f"write {choices}"
        )
