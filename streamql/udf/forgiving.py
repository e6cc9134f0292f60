"""Functions whose failures do not stop the job: what `on_error` makes of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..column import Column, combine, concat, constant, from_values, nulls
from ..errors import FunctionError, RunError, Span
from ..functions.dropping import Dropping
from ..functions.registry import Function, Volatility
from ..on_error import OnError, Policy
from ..types import Type

Letters = Callable[[Mapping[str, Any]], None]
_MOST_TEXT = 65_536


class ForgivingFunction(Function):
    """A function in place of another: a row for which that one fails gets NULL or a default.

    Rows are called together as long as none fails. Around one that fails the others are called
    again, in pieces that grow while all goes well: k such rows among n cost O(k log n) calls, and
    each row is called until it has succeeded or failed once. A failure that no row is to blame for
    stops the job.

    Attributes:
        failed: how many calls failed so far, and `on_error` decided about.
        action: the word of the policy.
    """

    def __init__(self, inner: Function, policy: Policy) -> None:
        self.inner = inner
        self.name = inner.name
        self.by_event = inner.by_event
        # not folded: a call that fails is counted for each of its rows
        volatile = inner.volatility is Volatility.VOLATILE
        self.volatility = Volatility.VOLATILE if volatile else Volatility.STABLE
        self.action = policy.action.value
        self.failed = 0
        self._default = policy.default if policy.action is OnError.DEFAULT else None

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        returns = self.inner.check(types, span, spans)
        kind = repeated(self._default, 1).type
        fits = kind in (Type.NULL, returns)
        return returns if fits else Type.ANY

    def call(self, columns: Sequence[Column], count: int) -> Column:
        column, errors = self._sifted(columns, count)
        self.failed += len(errors)
        if not errors or self._default is None:
            return column
        failed = np.zeros(count, bool)
        failed[list(errors)] = True
        good = np.flatnonzero(~failed)
        instead = repeated(self._default, len(errors))
        return combine(count, [(good, column.take(good)), (np.flatnonzero(failed), instead)])

    def close(self) -> None:
        self.inner.close()

    def _sifted(
        self, columns: Sequence[Column], count: int
    ) -> tuple[Column, dict[int, FunctionError]]:
        """Return the results, NULL where a row failed, and the errors of these rows."""
        errors: dict[int, FunctionError] = {}
        good: list[Column] = []
        ahead: list[int] = []  # rows that failed and are not yet passed, the nearest last
        at, size = 0, count
        while at < count:
            if ahead and ahead[-1] == at:
                ahead.pop()
                at += 1
                continue
            end = min(at + size, ahead[-1] if ahead else count)
            some = columns if end - at == count else [c.slice(at, end - at) for c in columns]
            try:
                good.append(self.inner.call(some, end - at))
            except FunctionError as error:
                if error.row is None:
                    raise
                if self._same(columns):
                    return nulls(count), dict.fromkeys(range(count), error)
                row = at + error.row
                errors[row] = self._blamed(columns, row, error, end - at)
                ahead.append(row)
                size = max(1, 2 * (row - at))
            else:
                size = size if ahead else 2 * size
                at = end
        if not errors:
            return good[0] if len(good) == 1 else concat(good) if good else nulls(0), errors
        succeeded = np.ones(count, bool)
        succeeded[list(errors)] = False
        if not good:
            return nulls(count), errors
        return combine(count, [(np.flatnonzero(succeeded), concat(good))]), errors

    def _same(self, columns: Sequence[Column]) -> bool:
        """Tell whether all rows are one call."""
        return self.volatility is not Volatility.VOLATILE and all(c.constant for c in columns)

    def _blamed(
        self, columns: Sequence[Column], row: int, error: FunctionError, together: int
    ) -> FunctionError:
        """Return the error of a row. Raises the one of the batch when the row by itself is well."""
        if error.certain or together == 1:
            return error
        try:
            self.inner.call([c.slice(row, 1) for c in columns], 1)
        except FunctionError as own:
            if own.row is not None:
                return own
            raise
        error.row = row
        raise error


class DroppingFunction(ForgivingFunction, Dropping):
    """As `ForgivingFunction`, but the rows leave the stream, and dead letters are put down."""

    def __init__(self, inner: Function, policy: Policy, put: Letters | None) -> None:
        super().__init__(inner, policy)
        self._put = put if policy.action is OnError.DEAD_LETTER else None

    def call(self, columns: Sequence[Column], count: int) -> Column:
        """Return the values, for calls that no operator makes; a row that fails is an error."""
        column, errors = self._sifted(columns, count)
        if errors:
            row = min(errors)
            raise FunctionError(
                errors[row].message,
                hint=f"on_error={self.action} cannot drop the row here; move the call into a "
                "SELECT list of its own, e.g. into a WITH step",
                row=row,
            )
        return column

    def attempt(
        self, columns: Sequence[Column], events: NDArray[np.int64]
    ) -> tuple[Column, NDArray[np.bool_] | None]:
        column, errors = self._sifted(columns, len(events))
        if not errors:
            return column, None
        self.failed += len(errors)
        failed = np.zeros(len(events), bool)
        failed[list(errors)] = True
        if self._put is not None:
            shown = columns[:-2] if self.by_event else columns
            for row in sorted(errors):
                self._put(letter_of(self.name, int(events[row]), errors[row], shown, row))
        return column, failed


def letter_of(
    name: str, event: int, error: RunError, columns: Sequence[Column], row: int
) -> dict[str, Any]:
    """Return the dead letter of a row: `columns` are the arguments, event 0 that of no event."""
    return {
        "kind": "function",
        "function": name,
        "event": event or None,
        "reason": error.message,
        "text": _text(columns, row),
    }


def repeated(value: Any, count: int) -> Column:
    """Return a column that has one value so many times."""
    if isinstance(value, list | dict):
        return from_values([value]).take(np.zeros(count, np.int64))
    return constant(value, count)


def _text(columns: Sequence[Column], row: int) -> str:
    """Return the arguments of a row as a JSON array."""
    values = [c.slice(row, 1).to_json(marked=False)[0].as_py() or "null" for c in columns]
    text = f"[{','.join(values)}]"
    cut = text.encode()[:_MOST_TEXT]
    return cut.decode("utf-8", "ignore")
