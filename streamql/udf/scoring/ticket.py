"""What a scorer gives for submitted rows: a place where their results will be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...column import Column, concat, nulls
from .failure import Failure

Letter = dict[str, Any]


class Ticket:
    """Rows submitted together. Filled by the scorer's thread, read by the one that submitted.

    Attributes:
        first: the number of its first row among all rows submitted to the scorer.
        decided: the rows that `on_error` decided about; None when there are none.
        skipped: those of them that leave the stream; None when none does.
        witness: is shown the ticket before its result is first taken.
        failures: the rows that could not be scored, each with the reason.
        failed_row: the row at which the job has to stop; None when it is another ticket's.
    """

    def __init__(self, first: int, count: int, taken: Callable[[int, list[Letter]], None]) -> None:
        self.first = first
        self.count = count
        self.decided: NDArray[np.bool_] | None = None
        self.skipped: NDArray[np.bool_] | None = None
        self.witness: Callable[[Ticket], None] | None = None
        self.failures: list[tuple[int, Failure]] = []
        self.failed_row: int | None = None
        self._taken: Callable[[int, list[Letter]], None] | None = taken
        self._pieces: dict[int, Column] = {}
        self._missing = count
        self._error: Exception | None = None
        self._letters: list[tuple[int, Letter]] = []
        self._column: Column | None = None

    @property
    def done(self) -> bool:
        """Whether `result` has an answer."""
        return self._error is not None or self._missing == 0

    @property
    def letters(self) -> list[tuple[int, Letter]]:
        """The dead letters with their rows, in the rows' order."""
        return sorted(self._letters, key=lambda pair: pair[0])

    @property
    def known(self) -> list[tuple[int, Column]]:
        """The results so far, each with its first row; empty once `result` was taken."""
        return list(self._pieces.items())

    def result(self) -> Column:
        """Return one value per row, in order; NULL where `skipped`.

        Raises FunctionError with `event`, and with `row` when the row is of this ticket. Must not
        be called before `done`. The first call delivers the dead letters, in the rows' order.
        """
        witness, self.witness = self.witness, None
        if witness is not None:
            witness(self)
        taken, self._taken = self._taken, None
        if taken is not None:
            taken(self.count, [letter for _, letter in self.letters])
        if self._error is not None:
            raise self._error
        assert self._missing == 0, "the ticket is not done"
        if self._column is None:
            pieces = [self._pieces[start] for start in sorted(self._pieces)]
            self._column = concat(pieces) if pieces else nulls(0)
            self._pieces.clear()
        return self._column

    # -- for the scorer ---------------------------------------------------------------------

    def fill(
        self, start: int, column: Column, decided: NDArray[np.bool_] | None, drops: bool
    ) -> None:
        """Put down the results of some rows; `drops`: those decided about leave the stream."""
        if decided is not None and decided.any():
            if self.decided is None:
                self.decided = np.zeros(self.count, bool)
                self.skipped = self.decided if drops else None
            self.decided[start : start + len(column)] = decided
        self._pieces[start] = column
        self._missing -= len(column)

    def reject(self, row: int, letter: Letter) -> None:
        """Put down the dead letter of a row."""
        self._letters.append((row, letter))

    def blame(self, row: int, failure: Failure) -> None:
        """Put down why a row could not be scored."""
        self.failures.append((row, failure))

    def fail(self, error: Exception) -> None:
        """Give up what is still missing."""
        if not self.done:
            self._error = error
            self.failed_row = getattr(error, "row", None)
