"""Python functions as functions of a query."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from ..column import Column, concat, from_values
from ..errors import BindError, FunctionError, Span, UsageError
from ..formats.table import column_from_arrow, to_arrow
from ..functions.registry import Function, Volatility
from ..types import Type

_RETURNS: dict[object, Type] = {
    int: Type.BIGINT,
    float: Type.FLOAT,
    str: Type.TEXT,
    bool: Type.BIT,
    datetime: Type.DATETIME,
    dict: Type.RECORD,
    list: Type.ARRAY,
}


class PythonFunction(Function):
    """A Python function, called with the values of one row, or with Arrow arrays (`vectorized`).

    Values are int, float, str, bool, datetime (UTC), dict, list, None; the result may be any of
    them. A vectorized function takes `pyarrow.Array`s and returns an array, or a sequence, of the
    same length. It is called from the job's thread.
    """

    can_fail = True

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        vectorized: bool = False,
        volatile: bool = False,
    ) -> None:
        if inspect.iscoroutinefunction(function):
            raise UsageError(f"{name} is an async function", hint="register a plain function")
        self.name = name
        self.volatility = Volatility.VOLATILE if volatile else Volatility.STABLE
        self._function = function
        self._vectorized = vectorized
        self._signature = inspect.signature(function)
        hint = typing.get_type_hints(function).get("return") if not vectorized else None
        self._returns = _RETURNS.get(typing.get_origin(hint) or hint, Type.ANY)

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        try:
            self._signature.bind(*types)
        except TypeError as error:
            usage = f"it is {self.name}{self._signature}"
            raise BindError(f"udf.{self.name}: {error}", span, usage) from None
        return self._returns

    def call(self, columns: Sequence[Column], count: int) -> Column:
        if self._vectorized:
            return self._call_arrays(columns, count)
        results = []
        lists = [c.to_pylist() for c in columns]
        for row in range(count):
            try:
                results.append(self._function(*(values[row] for values in lists)))
            except Exception as error:
                raise self._failed(error, row) from error
        try:
            return from_values(results)
        except TypeError as error:
            raise FunctionError(f"udf.{self.name}: {error}", row=0) from None

    def _call_arrays(self, columns: Sequence[Column], count: int) -> Column:
        arrays = [to_arrow({"v": c}).column(0).combine_chunks() for c in columns]
        try:
            result = self._function(*arrays)
        except Exception as error:
            raise self._failed(error, None) from error
        if isinstance(result, pa.ChunkedArray):
            parts = [column_from_arrow(chunk) for chunk in result.chunks]
            column = concat(parts) if parts else from_values([])
        else:
            array = result if isinstance(result, pa.Array) else pa.array(result)
            column = column_from_arrow(array)
        if len(column) != count:
            raise FunctionError(
                f"udf.{self.name} returned {len(column)} values for {count} rows", row=0
            )
        return column

    def _failed(self, error: Exception, row: int | None) -> FunctionError:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"at {trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}" if trace else None
        kind = type(error).__name__
        return FunctionError(f"udf.{self.name}: {kind}: {error}", hint=where, row=row)
