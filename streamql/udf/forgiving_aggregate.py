"""User aggregates whose failures do not stop the job: what `on_error` makes of a window's value.

A call of an aggregate is one value: all of `init`, `accumulate`, `merge` and the result, for the
rows of one window and key. When any of these fails the value is NULL or the default. Rows cannot
leave the stream for it: a value is made of many, and the others of its window are values too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..column import Column, combine
from ..errors import BindError, FunctionError
from ..functions.aggregate import Accumulator, Aggregate, AggregateSpec, Ints, Signature
from ..grouping.ranges import Ranges
from ..on_error import OnError, Policy
from ..sifting import Refusal, sift
from ..types import Type
from .forgiving import repeated

if TYPE_CHECKING:
    from .python.aggregate import PythonAggregate


@dataclass
class Tally:
    """How many values of an aggregate failed so far, and `on_error` decided about."""

    failed: int = 0


def forgiving(spec: AggregateSpec, policy: Policy, tally: Tally) -> AggregateSpec:
    """Return what stands in place of a user aggregate. A policy that drops rows is refused where
    the aggregate is used: a BindError."""
    made: dict[Aggregate, ForgivingAggregate] = {}

    def make(signature: Signature) -> Aggregate:
        inner = spec.make(signature)
        if policy.drops:
            raise BindError(
                f"function_errors={policy.action.value} cannot drop a row for {spec.name}, whose "
                "value is made of many",
                signature.span,
                f"--set {spec.name.partition('.')[2]}.on_error=null, default: VALUE or fail says "
                "what becomes of the value",
            )
        if inner not in made:
            made[inner] = ForgivingAggregate(inner, _default(policy), tally)
        return made[inner]

    return replace(spec, make=make)


def _default(policy: Policy) -> Any:
    return policy.default if policy.action is OnError.DEFAULT else None


@dataclass(frozen=True, eq=False)
class ForgivingAggregate(Aggregate):
    """An aggregate in place of another: a value that cannot be had is NULL or a default.

    Attributes:
        inner: the aggregate.
        default: what stands for such a value.
        tally: where they are counted.
    """

    inner: Aggregate
    default: Any
    tally: Tally
    name: str = field(init=False)
    type: Type = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.inner.name)
        kind = repeated(self.default, 1).type
        fits = kind in (Type.NULL, self.inner.type)
        object.__setattr__(self, "type", self.inner.type if fits else Type.ANY)

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        if not len(ranges):
            return self.inner.over(inputs, times, ranges)
        found: list[tuple[Ints, Column]] = []

        def attempt(start: int, stop: int) -> None:
            some = np.arange(start, stop)
            try:
                found.append((some, self._part(inputs, times, ranges.take(some), len(ranges))))
            except FunctionError as error:
                if error.row is None:
                    raise
                raise Refusal(error) from error

        failed = [row for row, _ in sift(len(ranges), attempt)]
        return self.settled(found, failed, len(ranges))

    def _part(self, inputs: Sequence[Column], times: Ints, ranges: Ranges, whole: int) -> Column:
        if len(ranges) == whole:
            return self.inner.over(inputs, times, ranges)
        first, last = int(ranges.starts.min()), max(int(ranges.ends.max()), 0)
        last = max(first, last)
        columns = [column.slice(first, last - first) for column in inputs]
        near = Ranges(ranges.starts - first, ranges.ends - first)
        return self.inner.over(columns, times[first:last], near)

    def accumulator(self) -> Accumulator | None:
        if self.inner.accumulator() is None:
            return None
        from .python.forgiving_states import ForgivingStates

        inner: PythonAggregate = self.inner  # type: ignore[assignment]  # no others have one
        return ForgivingStates(inner, self)

    def settled(
        self, found: list[tuple[Ints, Column]], failed: Sequence[int], count: int
    ) -> Column:
        """Return the values at their places, and the default where they failed."""
        self.tally.failed += len(failed)
        if len(found) == 1 and not failed:
            return found[0][1]
        parts = list(found)
        if failed:
            parts.append((np.array(failed, np.int64), repeated(self.default, len(failed))))
        return combine(count, parts)
