"""Arrays as they were at one moment, while their owner goes on changing them in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .values import Ints


class Frozen:
    """The first `count` entries of several arrays, copied when somebody asks for them.

    Copying at once would hold the owner up for as long as there are entries. Instead it tells which
    entries it is about to change (`spare`), and what they were is noted; a copy that is taken
    meanwhile, in another thread, is put right by the notes. No lock is needed: an entry is noted
    before it is changed, and the notes are read after the copy.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        self._arrays = dict(arrays)
        self._count = count
        self._changed = np.zeros(count, bool)
        self._notes: list[tuple[Ints, dict[str, NDArray[Any]]]] = []
        self._copies: dict[str, NDArray[Any]] = {}

    @property
    def done(self) -> bool:
        """All arrays have been copied: changes need not be told any more."""
        return not self._arrays

    def spare(self, slots: Ints) -> None:
        """Note what these entries are; called by the owner before it changes them."""
        rows = slots[slots < self._count]
        rows = rows[~self._changed[rows]]
        if len(rows):
            self._changed[rows] = True
            self._notes.append((rows, {name: a[rows] for name, a in self._arrays.items()}))

    def later(self) -> dict[str, Callable[[], NDArray[Any]]]:
        """Return what gives each array as it was, in any thread and as often as asked."""
        return {name: partial(self._copy, name) for name in self._arrays}

    def _copy(self, name: str) -> NDArray[Any]:
        if name not in self._copies:
            copy = self._arrays[name][: self._count].copy()
            for rows, values in self._notes:
                copy[rows] = values[name]
            self._copies[name] = copy
            if len(self._copies) == len(self._arrays):
                self._arrays, self._notes = {}, []
        return self._copies[name]
