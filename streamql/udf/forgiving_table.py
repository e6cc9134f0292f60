"""Table functions whose failures do not stop the job: what `on_error` makes of a row's rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..column import Column, concat, from_values
from ..errors import FunctionError, UsageError
from ..functions.table import TableFunction
from ..on_error import OnError, Policy
from ..rows import ColumnRows, RecordRows, Rows
from ..sifting import Refusal, sift
from .forgiving import Letters, letter_of

Ints = NDArray[np.int64]


class ForgivingTable(TableFunction):
    """A table function in place of another: a value for which that one fails has no rows, or those
    of a default, or the row that it is of leaves the stream.

    Attributes:
        failed: how many calls failed so far, and `on_error` decided about.
    """

    def __init__(self, inner: TableFunction, policy: Policy, put: Letters | None) -> None:
        self.inner = inner
        self.name = inner.name
        self.columns = inner.columns
        self.volatility = inner.volatility
        self.failed = 0
        self._drops = policy.drops
        self._put = put if policy.action is OnError.DEAD_LETTER else None
        self._default = self._rows(policy) if policy.action is OnError.DEFAULT else []

    def expand(self, column: Column) -> tuple[Ints, Rows]:
        parents, rows, _ = self.attempt(column, np.zeros(len(column), np.int64))
        return parents, rows

    def attempt(self, column: Column, events: Ints) -> tuple[Ints, Rows, Ints]:
        found: list[tuple[Ints, Rows]] = []

        def some(start: int, stop: int) -> None:
            try:
                parents, rows = self.inner.expand(column.slice(start, stop - start))
            except FunctionError as error:
                if error.row is None:
                    raise
                raise Refusal(error, error.row) from error
            found.append((parents + start, rows))

        left = sift(len(column), some)
        if not left:
            parents, rows = _joined(found, self.columns)
            return parents, rows, np.zeros(0, np.int64)
        self.failed += len(left)
        failed = np.array([row for row, _ in left], np.int64)
        if self._put is not None:
            for row, error in left:
                self._put(letter_of(self.name, int(events[row]), error, [column], row))
        if self._default:
            records = from_values(self._default)
            count = len(self._default)
            which = np.tile(np.arange(count), len(failed))
            found.append((np.repeat(failed, count), self._as_rows(records.take(which))))
        parents, rows = _joined(found, self.columns)
        return parents, rows, failed if self._drops else failed[:0]

    def close(self) -> None:
        self.inner.close()

    def _rows(self, policy: Policy) -> list[dict[str, Any]]:
        """Return the rows of a default: an object, or an array of objects."""
        value = policy.default
        rows = [value] if isinstance(value, dict) else value
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UsageError(
                f"{self.name}.on_error takes default: ROWS for a table function, found {value!r}",
                hint='rows are an object or an array of them: default: [{"part": "none"}]',
            )
        names = self.columns
        if names is not None:
            for row in rows:
                if other := [key for key in row if key not in names]:
                    raise UsageError(
                        f"{self.name}.on_error has a row with {other[0]!r}; the columns of "
                        f"{self.name} are {', '.join(names)}"
                    )
            rows = [{name: row.get(name) for name in names} for row in rows]
        return rows

    def _as_rows(self, records: Column) -> Rows:
        rows = RecordRows(records)
        if self.columns is None:
            return rows
        return ColumnRows({name: rows.field((name,)) for name in self.columns}, len(rows))


def _joined(found: list[tuple[Ints, Rows]], names: tuple[str, ...] | None) -> tuple[Ints, Rows]:
    """Return the rows of several pieces, in the order of the rows that they were made of."""
    some = [(parents, rows) for parents, rows in found if len(parents)]
    if len(some) == 1:
        return some[0]
    if not some:
        return found[0] if found else (np.zeros(0, np.int64), RecordRows(from_values([])))
    parents = np.concatenate([p for p, _ in some])
    order = np.argsort(parents, kind="stable")
    if names is None:
        return parents[order], RecordRows(concat([rows.record() for _, rows in some]).take(order))
    columns = {
        name: concat([rows.field((name,)) for _, rows in some]).take(order) for name in names
    }
    return parents[order], ColumnRows(columns, len(order))
