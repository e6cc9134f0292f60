"""The states of a Python aggregate of which some may fail, without ending the job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...column import Column
from ...errors import FunctionError
from ...sifting import Refusal, sift
from .aggregate import PythonAggregate, States

if TYPE_CHECKING:
    from ..forgiving_aggregate import ForgivingAggregate

_FAILED = object()


class ForgivingStates(States):
    """As `States`; what has failed takes no more rows, and its value is what `on_error` says.

    A state that failed is kept as None.
    """

    def __init__(self, aggregate: PythonAggregate, forgiving: ForgivingAggregate) -> None:
        super().__init__(aggregate)
        self._forgiving = forgiving

    def _begun(self) -> Any:
        try:
            return super()._begun()
        except FunctionError:
            return None

    def _take(self, states: list[Any], slot: int, values: list[tuple[Any, ...]], row: int) -> None:
        if states[slot] is None:
            return
        try:
            super()._take(states, slot, values, row)
        except FunctionError:
            states[slot] = None

    def _value(self, states: list[Any]) -> Any:
        if any(state is None for state in states):
            return _FAILED
        try:
            return super()._value(states)
        except FunctionError:
            return _FAILED

    def _column(self, results: list[Any]) -> Column:
        good = [place for place, value in enumerate(results) if value is not _FAILED]
        found = []

        def attempt(start: int, stop: int) -> None:
            values = [results[place] for place in good[start:stop]]
            try:
                column = super(ForgivingStates, self)._column(values)
            except FunctionError as error:  # a value without an SQL type
                raise Refusal(error) from error
            found.append((np.array(good[start:stop], np.int64), column))

        misfits = {good[number] for number, _ in sift(len(good), attempt)}
        failed = [p for p, value in enumerate(results) if value is _FAILED or p in misfits]
        return self._forgiving.settled(found, failed, len(results))
