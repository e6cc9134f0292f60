"""What a table function is: it stands after APPLY and makes rows of a value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..column import Column
from ..errors import BindError, InternalError, Span
from ..rows import Rows
from ..types import Type
from .registry import Function


class TableFunction(Function):
    """A function from one value to any number of rows, called as `CROSS APPLY udf.alias(x) AS e`.

    Attributes:
        columns: the names of the rows' columns where they are known, else None.
    """

    columns: tuple[str, ...] | None = None

    @abstractmethod
    def expand(self, column: Column) -> tuple[NDArray[np.int64], Rows]:
        """Return the rows made of each value, and for each the row it was made of, rising.

        Raises FunctionError with `row` set to the row that is to blame.
        """

    def attempt(
        self, column: Column, events: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], Rows, NDArray[np.int64]]:
        """Return what `expand` does, and the rows that leave the stream, as `on_error` may say.

        `events` are their numbers in the input, 0 for rows that were made of several.
        """
        parents, rows = self.expand(column)
        return parents, rows, parents[:0]

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        raise BindError(
            f"udf.{self.name} makes rows and stands only after CROSS APPLY or OUTER APPLY",
            span,
            f"write FROM input CROSS APPLY udf.{self.name}(column) AS element",
        )

    def call(self, columns: Sequence[Column], count: int) -> Column:
        raise InternalError(f"udf.{self.name} was called for values")
