"""Table functions in Python, for CROSS APPLY and OUTER APPLY."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...column import Column, nulls
from ...errors import FunctionError, UsageError
from ...functions.registry import Volatility
from ...functions.table import TableFunction
from ...rows import ColumnRows, RecordRows, Rows
from ...types import Type
from .calls import CONCURRENCY, Calls, Failures
from .values import column_of


class PythonTableFunction(TableFunction):
    """A Python function from one value to rows: it returns (or yields) them.

    A row is a dict, a named tuple or a dataclass; with `columns` it may be a plain tuple or list
    as well. None stands for no rows. An `async def` is called for several rows at a time.
    """

    volatility = Volatility.STABLE

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        columns: Sequence[str] | None = None,
        concurrency: int = CONCURRENCY,
        divert: bool = False,
    ) -> None:
        if inspect.isasyncgenfunction(function):
            raise UsageError(
                f"udf.{name} is an async generator", hint="return a list from an async def"
            )
        self.name = name
        self.columns = None if columns is None else tuple(columns)
        if self.columns is not None and len(set(self.columns)) < len(self.columns):
            raise UsageError(f"udf.{name}: two columns have the same name")
        self._calls = Calls(f"udf.{name}", function, divert=divert, concurrency=concurrency)

    def expand(self, column: Column) -> tuple[NDArray[np.int64], Rows]:
        results = self._calls.each([(value,) for value in column.to_pylist()])
        parents: list[int] = []
        records: list[dict[str, Any]] = []
        with self._calls.prints():
            for row, result in enumerate(results):
                made = self._rows(result, row)
                parents += [row] * len(made)
                records += made
        if not records:
            return np.zeros(0, np.int64), RecordRows(nulls(0))
        try:
            rows = self._as_rows(records)
        except FunctionError as error:
            if error.row is not None:
                error.row = parents[error.row]
            raise
        return np.array(parents, np.int64), rows

    def _as_rows(self, records: list[dict[str, Any]]) -> Rows:
        name = f"udf.{self.name}"
        if self.columns is None:
            return RecordRows(column_of(name, records, Type.RECORD))
        made = {key: column_of(name, [r.get(key) for r in records]) for key in self.columns}
        return ColumnRows(made, len(records))

    def _rows(self, result: Any, row: int) -> list[dict[str, Any]]:
        """Return the rows in a result as dicts. Raises FunctionError when it has none."""
        if result is None:
            return []
        if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
            raise FunctionError(
                f"udf.{self.name} returned {_kind(result)} instead of rows",
                hint="a table function returns a list of rows, e.g. [{'a': 1}, {'a': 2}]",
                row=row,
            )
        try:
            return [self._record(one, row) for one in result]
        except FunctionError:
            raise
        except Failures as error:  # a generator runs only here
            raise self._calls.failed(error, row) from error

    def _record(self, one: Any, row: int) -> dict[str, Any]:
        record: dict[str, Any] | None = None
        if isinstance(one, Mapping):
            record = dict(one)
        elif hasattr(one, "_asdict"):
            record = one._asdict()
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            record = dataclasses.asdict(one)
        elif self.columns is not None and isinstance(one, tuple | list):
            if len(one) != len(self.columns):
                raise FunctionError(
                    f"udf.{self.name} returned a row of {len(one)} values; it has "
                    f"{len(self.columns)} columns: {', '.join(self.columns)}",
                    row=row,
                )
            record = dict(zip(self.columns, one, strict=True))
        if record is None:
            raise FunctionError(
                f"udf.{self.name} returned {_kind(one)} as a row",
                hint="a row is a dict, a named tuple or a dataclass; tuples need columns=(...)",
                row=row,
            )
        if self.columns is not None and (other := [k for k in record if k not in self.columns]):
            raise FunctionError(
                f"udf.{self.name} returned a row with {other[0]!r}; its columns are "
                f"{', '.join(self.columns)}",
                row=row,
            )
        return record

    def close(self) -> None:
        """End the loop of an async function."""
        self._calls.close()


def _kind(value: Any) -> str:
    return f"a value of type {type(value).__name__}"
