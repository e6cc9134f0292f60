"""What a function is that drops the rows for which it fails."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from numpy import bool_, int64
from numpy.typing import NDArray

from ..column import Column
from .registry import Function


class Dropping(Function):
    """A function that an operator of its own calls, because only operators drop rows."""

    drops: ClassVar[bool] = True

    @abstractmethod
    def attempt(
        self, columns: Sequence[Column], events: NDArray[int64]
    ) -> tuple[Column, NDArray[bool_] | None]:
        """Return one value per row, and the rows that leave the stream; None when none does.

        `events` are their numbers in the input, 0 for rows that were made of several.
        """
