"""Rows that fail by themselves, found among those that do not in few attempts."""

from __future__ import annotations

from collections.abc import Callable

from .errors import RunError

_FEW = 256
"""Rows that are tried together after one was left out; twice as many each time it goes well."""


class Refusal(Exception):
    """Some rows fail for what they are.

    Attributes:
        error: what is wrong with one of them.
        row: the one to blame, among those that were tried; None: nobody knows.
    """

    def __init__(self, error: RunError, row: int | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.row = row


def sift(count: int, attempt: Callable[[int, int], None]) -> list[tuple[int, RunError]]:
    """Do something with so many rows, in their order, without those that fail by themselves.

    `attempt` takes the first row and the one behind the last, and does it with all of them or
    raises Refusal. Returns the rows that were left out, each with its error. k of n cost O(k log n)
    attempts; who is said to be to blame is believed only when it fails alone.
    """
    left: list[tuple[int, RunError]] = []
    at, size, wall, since = 0, count, 0, 0
    while at < count:
        stop = min(at + size, count)
        try:
            attempt(at, stop)
        except Refusal as refusal:
            if stop - at == 1:
                left.append((at, refusal.error))
                # neighbours often fail together
                at, size = stop, min(_FEW, max(1, 2 * (at - since)))
                since = at
                continue
            row = refusal.row  # one before the wall is to blame
            if row is not None and 0 <= row < stop - at:
                wall, size = at + row + 1, max(row, 1)
            else:
                wall, size = stop, (stop - at) // 2
            continue
        at = stop
        size = max(1, (wall - at) // 2) if at < wall else 2 * size
    return left
