"""Patterns of MATCH_RECOGNIZE: variables, what is asked of bound events, and the automaton."""

from __future__ import annotations

from dataclasses import dataclass

from ..expressions.nodes import Expr

BOUND = "$bound"
"""The relation of what is known of bound events: `p0`, `p1`, ... (picks) and `classifier`."""

KEPT = "$kept"
"""The relation of the values of an event that are kept: `f0`, `f1`, ..."""

ACCEPT = -1
"""Stands in an automaton for the end of the pattern."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a pattern.

    `test` looks at the event alone and is computed for whole batches; `condition` also looks at
    events bound before (relation BOUND) and finds the event in KEPT. None: always true.
    """

    name: str
    test: Expr | None = None
    condition: Expr | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A value of one of the events bound to a variable; of any variable with None.

    `kind` is `first`, `last`, `min` or `max`; `field` the number of the kept value.
    """

    kind: str
    variable: int | None
    field: int


@dataclass(frozen=True, slots=True)
class Automaton:
    """A pattern as its places: the variables as they occur, repeats written out.

    Attributes:
        variables: for each place the number of its variable.
        first: the places a match can begin with, the preferred one first.
        follows: for each place, what can come after it, the preferred one first; ACCEPT ends.
    """

    variables: tuple[int, ...]
    first: tuple[int, ...]
    follows: tuple[tuple[int, ...], ...]


class AutomatonBuilder:
    """Builds an automaton from the end of the pattern to its beginning.

    Each method gets the point that comes afterwards and returns the point to start from.
    """

    def __init__(self) -> None:
        self.variables: list[int] = []
        self._points: list[list[int]] = [[]]  # point 0 is the end
        self._places: dict[int, int] = {}  # the place a point consumes an event at

    def place(self, variable: int, after: int) -> int:
        """One event of a variable."""
        point = self._point(after)
        self._places[point] = len(self.variables)
        self.variables.append(variable)
        return point

    def choice(self, points: list[int]) -> int:
        """One of several ways, the preferred one first."""
        return self._point(*points)

    def loop(self) -> int:
        """A point to come back to; `close` tells where it leads."""
        return self._point()

    def close(self, loop: int, body: int, after: int) -> None:
        """Let a loop prefer another round to going on."""
        self._points[loop] = [body, after]

    def build(self, start: int) -> Automaton:
        """Return the automaton. An empty match is none, so that ACCEPT is not among `first`."""
        follows: list[tuple[int, ...]] = [()] * len(self.variables)
        for point, place in self._places.items():
            follows[place] = self._reached(self._points[point][0])
        first = tuple(p for p in self._reached(start) if p != ACCEPT)
        return Automaton(tuple(self.variables), first, tuple(follows))

    def _point(self, *nexts: int) -> int:
        self._points.append(list(nexts))
        return len(self._points) - 1

    def _reached(self, start: int) -> tuple[int, ...]:
        """Return the places reached without consuming an event, in order of preference."""
        found: list[int] = []
        seen: set[int] = set()
        stack = [start]
        while stack:
            point = stack.pop()
            if point in seen:
                continue
            seen.add(point)
            if point == 0:
                found.append(ACCEPT)
            elif point in self._places:
                found.append(self._places[point])
            else:
                stack += reversed(self._points[point])
        return tuple(found)
