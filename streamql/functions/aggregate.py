"""What an aggregate is: one value out of many rows, in GROUP BY, in OVER, and in user functions.

An aggregate works on ranges of rows (`grouping.ranges`): all windows, sessions and OVER clauses
become ranges of rows in order of time, and one call computes the values of many ranges. Aggregates
that can be kept up to date row by row offer an `Accumulator` as well; tumbling and hopping windows
use it and need not keep their rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..column import Column
from ..errors import Span
from ..grouping.ranges import Ranges
from ..types import Type

Ints = NDArray[np.int64]
Example = tuple[str, list[dict[str, Any]], list[dict[str, Any]]]


class Accumulator(ABC):
    """The running state of many groups; each has a slot, numbered from 0 on.

    Order of calls: `add` and `keep` in any order, `result` between them. What `result` gives must
    not depend on how rows were cut into `add` calls, not even in the last bit.
    """

    @abstractmethod
    def add(self, slots: Ints, count: int, inputs: Sequence[Column]) -> None:
        """Take rows in order of arrival; row i belongs to slot `slots[i]`, which is below `count`.

        Slots that were never seen before start empty. Raises DataError with `row` set.
        """

    @abstractmethod
    def result(self, slots: Ints, ranges: Ranges) -> Column:
        """Return a value for each range over `slots`: that of all rows of these slots, in order.

        A tumbling window is one slot, a hopping window one slot for each hop in it. Never empty.
        """

    @abstractmethod
    def keep(self, slots: Ints) -> None:
        """Forget all slots but these (rising), which are renumbered from 0 on."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain values, numpy arrays and Columns, that of now for ever.

        What would take long to copy may be a function without arguments that returns it, and is
        called in another thread while rows are added.
        """

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""


class Aggregate(ABC):
    """An aggregate with its options chosen; equal ones (dataclass equality) are computed once.

    Attributes:
        name: as messages and `explain` write it.
        type: the type of a result, `any` if only the values tell.
    """

    name: str
    type: Type

    @abstractmethod
    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        """Return one value per range.

        Args:
            inputs: the arguments, then the values of ORDER BY; one entry per row. COUNT(*) has
                none.
            times: the time of each row, in ticks.
            ranges: rows of each result, in order of (time, arrival). May be empty: COUNT is 0
                then, other results are NULL.

        Raises DataError or FunctionError with `row` set to the row that is to blame.
        """

    def accumulator(self) -> Accumulator | None:
        """Return a new, empty accumulator; None if the rows themselves are needed."""
        return None


@dataclass(frozen=True)
class Signature:
    """How a query writes an aggregate.

    Attributes:
        constants: the values of the leading arguments that must be literals.
        types: the static types of the other arguments (`any` if not known).
        order: the static types of the ORDER BY values.
        descending: for each of them, whether it is DESC.
        star: written with `*` or without an argument; then `types` is empty, except for the
            aggregates with `whole` (see `AggregateSpec`), which get the event as a record.
        span: the place of the call; `spans`: of each of its arguments (constants included).
        limit: LIMIT DURATION of OVER in ticks, 0 without.
    """

    constants: tuple[int | float | str | None, ...]
    types: tuple[Type, ...]
    order: tuple[Type, ...]
    descending: tuple[bool, ...]
    star: bool
    span: Span
    spans: tuple[Span, ...]
    limit: int = 0


@dataclass(frozen=True)
class AggregateSpec:
    """An aggregate as the language knows it.

    Attributes:
        name: its name, spelled as in the documentation.
        make: returns the aggregate for a signature; raises BindError with a place and a hint.
        counts: how many arguments are allowed (constants included, `*` not counted).
        constants: how many leading arguments must be literals.
        constants_last: how many trailing arguments must be literals instead.
        ordered: takes OVER (ORDER BY ...), and needs it.
        whole: without an argument (or with `*`) it takes the whole event as a record.
        grouped: may be used with GROUP BY.
        analytic: may be used with OVER (LIMIT DURATION ...).
        family: the heading in the documentation.
        documentation: what it computes, in Markdown, with the result type and NULL rules.
        example: a runnable example: a query on `input`, its rows, and the rows it gives.
        language: what it is written in, if it is the user's own.
    """

    name: str
    make: Callable[[Signature], Aggregate]
    counts: tuple[int, ...] = (1,)
    constants: int = 0
    constants_last: int = 0
    ordered: bool = False
    whole: bool = False
    grouped: bool = True
    analytic: bool = True
    family: str = "aggregates"
    documentation: str = ""
    example: Example | None = None
    language: str | None = None
