"""What stands for a function that could not be made, where a tool goes on without it."""

from __future__ import annotations

from collections.abc import Sequence

from ..column import Column
from ..errors import InternalError, Span
from ..functions.registry import Function, Volatility
from ..types import Type


class UnmadeFunction(Function):
    """Takes whatever it is given, so that calls of it are no mistakes of their own."""

    volatility = Volatility.STABLE
    unmade = True

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        return Type.ANY

    def call(self, columns: Sequence[Column], count: int) -> Column:
        raise InternalError(f"udf.{self.name} could not be made, and is called")
