"""The states of a Python aggregate, and snapshots of them that are packed behind the job's back."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from .states import pack

_AT_ONCE = 32
"""States that are packed while whoever wants to change one of them waits."""


class Kept:
    """A list of states, of which some are told to change (`touched`) before they do.

    A snapshot takes a list of references at once, and the states are packed later, in another
    thread. One that is about to change is packed before, by whoever changes it. None stands for a
    state that failed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._states: list[Any] = []
        self._places: list[int] = []  # where in the last snapshot each of them is; -1: not in it
        self._last: Callable[[], _Packing | None] = _none

    def __len__(self) -> int:
        return len(self._states)

    def append(self, state: Any) -> None:
        """Add a state."""
        self._states.append(state)
        self._places.append(-1)

    def touched(self, slots: Sequence[int]) -> list[Any]:
        """Return all states; those of these slots may be changed from here on."""
        last = self._last()
        if last is not None and not last.done:
            places = self._places
            for slot in slots:
                if places[slot] >= 0:
                    last.pack(places[slot], places[slot] + 1)
                    places[slot] = -1
        return self._states

    def keep(self, slots: Sequence[int]) -> None:
        """Forget all states but these."""
        self._states = [self._states[slot] for slot in slots]
        self._places = [self._places[slot] for slot in slots]

    def packed(self) -> Callable[[], list[str | None]]:
        """Return what gives the states of now as texts, whenever and wherever it is asked.

        That raises FunctionError for a state that cannot be packed.
        """
        if (last := self._last()) is not None:
            last.finish()
        packing = _Packing(self._name, list(self._states))
        self._places = list(range(len(self._states)))
        self._last = weakref.ref(packing)
        return packing.finish


class _Packing:
    """A snapshot on its way."""

    def __init__(self, name: str, states: list[Any]) -> None:
        self._name = name
        self._states = states
        self._texts: list[str | None] = [None] * len(states)
        self._lock = threading.Lock()
        self.done = False

    def pack(self, start: int, stop: int) -> None:
        """Pack some of the states that are not yet, while nobody changes them."""
        with self._lock:
            for place in range(start, min(stop, len(self._states))):
                state = self._states[place]
                if state is not None:
                    self._texts[place] = pack(state, self._name)
                    self._states[place] = None

    def finish(self) -> list[str | None]:
        """Pack what is left and return all texts."""
        if not self.done:
            for start in range(0, len(self._states), _AT_ONCE):
                self.pack(start, start + _AT_ONCE)
            self.done = True
        return self._texts


def _none() -> None:
    return None
