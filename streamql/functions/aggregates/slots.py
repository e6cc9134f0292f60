"""Running state in arrays with one entry per slot: the base of all accumulators."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...column import Column
from ..aggregate import Accumulator
from .frozen import Frozen
from .values import Ints


class SlotArrays(Accumulator):
    """An accumulator whose state is one number of several kinds per slot.

    `fields` are the names of the arrays, with what an empty slot holds (its type is the array's).
    Sums are added one after the other in order of arrival (`ufunc.at`), never by way of a sum of
    the batch: only then the last bit does not depend on where batches end.

    A snapshot takes no copy: arrays are changed in place at the slots of the rows alone, and
    replaced where all of them change.
    """

    fields: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        self.count = 0
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.zeros(0, np.asarray(empty).dtype) for name, empty in self.fields.items()
        }
        # by weak references: a snapshot that nobody holds any more needs to be told of nothing
        self._snapshots: list[weakref.ref[Frozen]] = []

    def add(self, slots: Ints, count: int, inputs: Sequence[Column]) -> None:
        if count > self.count:
            self._grow(count)
        if self._snapshots:
            self._spare(slots)
        with np.errstate(all="ignore"):
            self.take_rows(slots, inputs)

    @abstractmethod
    def take_rows(self, slots: Ints, inputs: Sequence[Column]) -> None:
        """Bring the arrays up to date with these rows; every slot has its entry already.

        Only the entries of `slots` may be changed in place.
        """

    def _spare(self, slots: Ints) -> None:
        waiting = []
        for reference in self._snapshots:
            frozen = reference()
            if frozen is not None and not frozen.done:
                frozen.spare(slots)
                waiting.append(reference)
        self._snapshots = waiting

    def _grow(self, count: int) -> None:
        self.count = count
        for name, old in self.arrays.items():
            if len(old) < count:
                new = np.full(max(count, 2 * len(old)), self.fields[name], old.dtype)
                new[: len(old)] = old
                self.arrays[name] = new

    def keep(self, slots: Ints) -> None:
        self.count = len(slots)
        self.arrays = {name: array[slots] for name, array in self.arrays.items()}

    def snapshot(self) -> dict[str, Any]:
        frozen = Frozen(self.arrays, self.count)
        self._snapshots.append(weakref.ref(frozen))
        return dict(frozen.later())

    def restore(self, state: dict[str, Any]) -> None:
        self.arrays = {name: np.array(state[name]) for name in self.fields}
        self.count = len(next(iter(self.arrays.values())))
