"""Rows that a place refuses when they are stored: finding them among those that it takes."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import OutputError

_FEW = 256
"""Rows that are stored together after one was left out; twice as many each time it goes well."""


class Refusal(Exception):
    """A place does not take some rows for what they are.

    Attributes:
        error: what it says.
        row: the one to blame, among those that were to be stored; None: nobody knows.
    """

    def __init__(self, error: OutputError, row: int | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.row = row


def sift(count: int, store: Callable[[int, int], None]) -> list[tuple[int, str]]:
    """Store so many rows, in their order, without those that are refused by themselves.

    `store` takes the first row and the one behind the last, and stores all of them or raises
    Refusal. Returns the rows that were left out, each with the reason. k of n cost O(k log n)
    calls; who is said to be to blame is believed only when it is refused alone.
    """
    left: list[tuple[int, str]] = []
    at, size, wall = 0, count, 0
    while at < count:
        stop = min(at + size, count)
        try:
            store(at, stop)
        except Refusal as refusal:
            if stop - at == 1:
                left.append((at, refusal.error.message))
                at, size = stop, _FEW
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
