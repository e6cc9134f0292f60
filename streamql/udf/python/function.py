"""Scalar Python functions: one value per row, out of values or of Arrow arrays."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...column import Column, concat, nulls
from ...errors import BindError, FunctionError, Span, UsageError
from ...formats.table import column_from_arrow, to_arrow
from ...functions.registry import Function, Volatility
from ...types import Type
from .calls import CONCURRENCY, Calls, Failures
from .values import column_of, returned_type


class PythonFunction(Function):
    """A Python function, called with the values of one row, or with Arrow arrays (`vectorized`).

    Values are int, float, str, bool, datetime (UTC), dict, list, None; the result may be any of
    them. A vectorized function takes `pyarrow.Array`s and returns an array, or a sequence, of the
    same length. It is called from the job's thread; an `async def` runs in a loop of its own, for
    at most `concurrency` rows at a time.
    """

    can_fail = True

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        vectorized: bool = False,
        volatile: bool = False,
        concurrency: int = CONCURRENCY,
        divert: bool = False,
    ) -> None:
        refuse_generators(f"udf.{name}", function)
        self.name = name
        self.volatility = Volatility.VOLATILE if volatile else Volatility.STABLE
        self._calls = Calls(f"udf.{name}", function, divert=divert, concurrency=concurrency)
        self._vectorized = vectorized
        self._signature = signature_of(function)
        self._returns = Type.ANY if vectorized else returned_type(function)

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        check_arguments(f"udf.{self.name}", self._signature, len(types), span)
        if self._vectorized and not types:
            raise BindError(
                f"udf.{self.name} takes arrays, and is called without an argument",
                span,
                "a function without arguments is registered without vectorized",
            )
        return self._returns

    def call(self, columns: Sequence[Column], count: int) -> Column:
        if count == 0:
            return nulls(0)
        if self._vectorized:
            return self._call_arrays([to_arrow({"v": c}).column(0) for c in columns], count)
        # equal arguments in all rows: one call will do
        once = self.volatility is not Volatility.VOLATILE and all(c.constant for c in columns)
        lists = [(c.first() if once else c).to_pylist() for c in columns]
        rows = list(zip(*lists, strict=True)) if lists else [()] * (1 if once else count)
        found = column_of(f"udf.{self.name}", self._calls.each(rows), self._returns)
        return found.take(np.zeros(count, np.int64)) if once else found

    def _call_arrays(self, columns: list[pa.ChunkedArray], count: int) -> Column:
        arrays = [c.combine_chunks() for c in columns]
        try:
            return self._checked(self._calls.once(*arrays), count)
        except FunctionError as error:
            if not error.certain and self.volatility is not Volatility.VOLATILE:
                error.row = self._blamed(arrays, count) or 0
                error.certain = self._fails(arrays, error.row, error.row + 1)
            raise
        except Failures as error:
            row = self._blamed(arrays, count)
            raise self._calls.failed(error, row) from error

    def _checked(self, result: Any, count: int) -> Column:
        """Return the result of arrays as a column. Raises FunctionError if it is none."""
        try:
            if isinstance(result, pa.ChunkedArray):
                parts = [column_from_arrow(chunk) for chunk in result.chunks]
                column = concat(parts) if parts else nulls(0)
            elif isinstance(result, pa.Array):
                column = column_from_arrow(result)
            elif isinstance(result, list | tuple):
                column = column_of(f"udf.{self.name}", result)
            else:
                column = column_from_arrow(pa.array(result))
        except (TypeError, ValueError) as error:
            raise _uncertain(
                f"udf.{self.name} returned {type(result).__name__}, which is no column: {error}",
                "return a pyarrow.Array, a numpy array or a list",
            ) from None
        if len(column) != count:
            raise _uncertain(
                f"udf.{self.name} returned {len(column):,} values for {count:,} rows",
                "a vectorized function returns one value for each row",
            )
        return column

    def _blamed(self, arrays: list[pa.Array], count: int) -> int | None:
        """Return the first row that fails by itself, found by halves; None if none does.

        Functions that are volatile are not called again.
        """
        if self.volatility is Volatility.VOLATILE:
            return None
        start, stop = 0, count
        while stop - start > 1:
            middle = (start + stop) // 2
            if self._fails(arrays, start, middle):
                stop = middle
            elif self._fails(arrays, middle, stop):
                start = middle
            else:
                return None
        return start

    def _fails(self, arrays: list[pa.Array], start: int, stop: int) -> bool:
        try:
            some = [a.slice(start, stop - start) for a in arrays]
            self._checked(self._calls.once(*some), stop - start)
        except Failures:
            return True
        return False

    def close(self) -> None:
        """End the loop of an async function."""
        self._calls.close()


def _uncertain(message: str, hint: str) -> FunctionError:
    """Return an error of a whole batch, of which no row is known to be to blame."""
    error = FunctionError(message, hint=hint, row=0)
    error.certain = False
    return error


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return what a function takes; None for those of C that do not tell."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def check_arguments(name: str, signature: inspect.Signature | None, count: int, span: Span) -> None:
    """Raise BindError when a function does not take so many arguments."""
    if signature is None:
        return
    try:
        signature.bind(*([None] * count))
    except TypeError as error:
        raise BindError(f"{name}: {error}", span, f"it is {name[4:]}{signature}") from None


def refuse_generators(name: str, function: Callable[..., Any]) -> None:
    """Raise UsageError for what gives many values: a scalar function gives one."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(
            f"{name} is a generator, and a function gives one value",
            hint="register it with engine.table_function, and call it after CROSS APPLY",
        )
