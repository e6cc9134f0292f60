"""Aggregates in Python: a class whose instances are running states.

`init()` begins, `accumulate(value, ...)` takes a row, `merge(other)` takes over what another state
has seen, after it, and `result()` gives the value. With `merge` tumbling and hopping windows keep
states instead of rows: a hopping window is put together from those of its hops. Without it, and in
other windows, the rows are kept and accumulated in order when a result is due. Either way a value
depends on the rows of its window alone, never on batches.

Sequential: one Python call per row, which is what a class of the user's means (about 2 million
rows a second for a small `accumulate`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import instants
from ...column import Column, combine, nulls
from ...errors import BindError, FunctionError, UsageError
from ...functions.aggregate import Accumulator, Aggregate, AggregateSpec, Signature
from ...grouping.ranges import Ranges
from ...types import Type
from .calls import Calls, Failures, is_async
from .kept import Kept
from .states import unpack
from .values import column_of, returned_type

Ints = NDArray[np.int64]
_NEEDED = ("accumulate", "result")
_KNOWN = ("init", *_NEEDED, "merge")
_MOST = 32
_SHAPE = "class Name: def init(self), accumulate(self, value), merge(self, other), result(self)"


@dataclass(frozen=True, eq=False)
class PythonAggregate(Aggregate):
    """The aggregate `uda.alias` of a class; made by `python_aggregate`.

    Attributes:
        made: makes a state, and knows how errors are told.
        timed: accumulate() wants the event's time as `timestamp`.
        merges: states can be merged.
    """

    name: str
    type: Type
    made: Calls
    timed: bool
    merges: bool

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        values = self.arguments(inputs, times)
        results: list[Any] = []
        rows: list[int] = []
        with self.made.prints():
            for start, end in zip(ranges.starts.tolist(), ranges.ends.tolist(), strict=True):
                if start >= end:
                    continue
                state = self.begun(start)
                for row in range(start, end):
                    self.accumulate(state, values, row)
                rows.append(end - 1)
                results.append(self.result(state, end - 1))
        return self.column(results, rows, np.flatnonzero(ranges.lengths > 0), len(ranges))

    def accumulator(self) -> Accumulator | None:
        return States(self) if self.merges else None

    # -- one state --------------------------------------------------------------------------

    def arguments(self, inputs: Sequence[Column], times: Ints | None) -> list[tuple[Any, ...]]:
        """Return what accumulate() gets for each row."""
        lists = [c.to_pylist() for c in inputs]
        if self.timed and times is not None:
            lists.append([instants.to_datetime(t) for t in times.tolist()])
        return list(zip(*lists, strict=True))

    def begun(self, row: int | None) -> Any:
        """Return a new state. Raises FunctionError."""
        try:
            state = self.made.function()
            begin = getattr(state, "init", None)
            if begin is not None:
                begin()
        except Failures as error:
            raise self.made.failed(error, row) from error
        return state

    def accumulate(self, state: Any, values: list[tuple[Any, ...]], row: int) -> None:
        """Have a state take a row. Raises FunctionError."""
        try:
            state.accumulate(*values[row])
        except Failures as error:
            raise self.made.failed(error, row) from error

    def merge(self, state: Any, other: Any) -> None:
        """Have a state take over another's rows. Raises FunctionError."""
        try:
            state.merge(other)
        except Failures as error:
            raise self.made.failed(error, None) from error

    def result(self, state: Any, row: int | None) -> Any:
        """Return a state's value. Raises FunctionError."""
        try:
            return state.result()
        except Failures as error:
            raise self.made.failed(error, row) from error

    def column(self, results: list[Any], rows: list[int], places: Ints, count: int) -> Column:
        """Return the results at their places; NULL elsewhere. `rows` are to blame for them."""
        if not results:
            return nulls(count)
        try:
            column = column_of(self.name, results, self.type)
        except FunctionError as error:
            error.row = rows[error.row] if rows and error.row is not None else None
            raise
        return combine(count, [(None if len(places) == count else places, column)])


class States(Accumulator):
    """The states of tumbling and hopping windows, one for each slot."""

    def __init__(self, aggregate: PythonAggregate) -> None:
        self._aggregate = aggregate
        self._states = Kept(aggregate.name)

    def add(self, slots: Ints, count: int, inputs: Sequence[Column]) -> None:
        aggregate = self._aggregate
        values = aggregate.arguments(inputs, None)
        numbers = slots.tolist()
        with aggregate.made.prints():
            while len(self._states) < count:
                self._states.append(self._begun())
            states = self._states.touched(numbers)
            for row, slot in enumerate(numbers):
                self._take(states, slot, values, row)

    def result(self, slots: Ints, ranges: Ranges) -> Column:
        numbers = slots.tolist()
        with self._aggregate.made.prints():
            states = self._states.touched(numbers)  # code of the user's, which may change them
            results = [
                self._value([states[slot] for slot in numbers[start:end]])
                for start, end in zip(ranges.starts.tolist(), ranges.ends.tolist(), strict=True)
            ]
        return self._column(results)

    # -- what may fail ------------------------------------------------------------------------

    def _begun(self) -> Any:
        return self._aggregate.begun(None)

    def _take(self, states: list[Any], slot: int, values: list[tuple[Any, ...]], row: int) -> None:
        self._aggregate.accumulate(states[slot], values, row)

    def _value(self, states: list[Any]) -> Any:
        """Return the value of all rows of these states."""
        state = states[0]
        if len(states) > 1:
            # a state of a hop serves several windows: it is read, never merged into
            state = self._aggregate.begun(None)
            for other in states:
                self._aggregate.merge(state, other)
        return self._aggregate.result(state, None)

    def _column(self, results: list[Any]) -> Column:
        return self._aggregate.column(results, [], np.arange(len(results)), len(results))

    # -- snapshots ----------------------------------------------------------------------------

    def keep(self, slots: Ints) -> None:
        self._states.keep(slots.tolist())

    def snapshot(self) -> dict[str, Any]:
        return {"states": self._states.packed()}

    def restore(self, state: dict[str, Any]) -> None:
        self._states = Kept(self._aggregate.name)
        for packed in state["states"]:
            made = None
            if packed is not None:
                made = self._aggregate.begun(None)
                unpack(made, packed)
            self._states.append(made)


def python_aggregate(alias: str, cls: type[Any], *, divert: bool = False) -> AggregateSpec:
    """Return the aggregate `uda.alias` of a class. Raises UsageError when it is none."""
    name = f"uda.{alias}"
    if not isinstance(cls, type):
        raise UsageError(f"{name} is no class", hint=f"write {_SHAPE}")
    for member in _NEEDED:
        if not callable(getattr(cls, member, None)):
            raise UsageError(f"{name}: {cls.__name__} has no {member}()", hint=f"write {_SHAPE}")
    for member in _KNOWN:
        if is_async(getattr(cls, member, len)):
            raise UsageError(
                f"{name}: {member}() of {cls.__name__} is async, and cannot be",
                hint=f"write def {member}(...), without async",
            )
    parameters, timed = _parameters(cls.accumulate)
    merges = callable(getattr(cls, "merge", None)) and not timed
    fewest = sum(1 for p in parameters if p.default is p.empty and p.kind is not p.VAR_POSITIONAL)
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    most = max(_MOST, fewest) if variadic else len(parameters)
    if most == 0:
        raise UsageError(
            f"{name}: accumulate() of {cls.__name__} takes no value",
            hint="write def accumulate(self, value)",
        )
    made = Calls(name, cls, divert=divert)
    made.file = cls.accumulate.__code__.co_filename if _has_code(cls.accumulate) else None
    aggregate = PythonAggregate(name, returned_type(cls.result), made, timed, merges)
    return AggregateSpec(
        name,
        lambda signature: _checked(aggregate, signature),
        counts=tuple(range(max(1, fewest), most + 1)),
        family="user aggregates",
        documentation=inspect.getdoc(cls) or "",
        language="Python",
    )


def _checked(aggregate: PythonAggregate, signature: Signature) -> PythonAggregate:
    if signature.star:
        raise BindError(
            f"{aggregate.name} takes a value, found *",
            signature.span,
            f"pass a column, or an input's name for its events: {aggregate.name}(input)",
        )
    return aggregate


def _parameters(accumulate: Callable[..., Any]) -> tuple[list[inspect.Parameter], bool]:
    """Return the parameters of accumulate() that take values, and whether it takes the time."""
    found = list(inspect.signature(accumulate).parameters.values())[1:]
    if found and found[-1].name == "timestamp":
        return found[:-1], True
    return [p for p in found if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)], False


def _has_code(function: Callable[..., Any]) -> bool:
    return hasattr(function, "__code__")
