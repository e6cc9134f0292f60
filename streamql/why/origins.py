"""Which events are behind a row of an output: those without which it would not be there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .runs import RowKey, Runs

Block: TypeAlias = tuple[str, int, int]
"""Events of an input from one number up to another, which is not part of it."""


@dataclass(frozen=True)
class Origin:
    """Events that a row needs.

    `first` and `last` are the same for one event. Of several the row needs some: it is there
    without the first half of them, and without the second, but not without all.
    """

    input: str
    first: int
    last: int


@dataclass(frozen=True)
class Origins:
    """A row, how many are `equal` to it, and the events behind; `whole`: there are no others."""

    output: str
    row: RowKey
    equal: int
    events: tuple[Origin, ...]
    whole: bool
    runs: int


def origins_of(
    runs: Runs, output: str, row: RowKey, counts: Mapping[str, int], most: int
) -> Origins:
    """Leave out blocks of events, smaller and smaller, and keep to those that the row needs.

    Each of the `most` events that are looked for at most takes about twice as many runs as the
    number of events has binary digits; events behind a row that stand together take fewer.
    """
    wanted = Counter(runs.rows({})[output])[row]

    def needed(block: Block) -> bool:
        name, start, end = block
        left = runs.rows({name: range(start, end)})[output]
        return Counter(left)[row] < wanted

    found: list[Origin] = []
    for origin in _search(list(counts.items()), needed):
        if len(found) == most:
            return Origins(output, row, wanted, tuple(found), False, runs.count)
        found.append(origin)
    return Origins(output, row, wanted, tuple(found), True, runs.count)


def _search(counts: list[tuple[str, int]], needed: Callable[[Block], bool]) -> Iterator[Origin]:
    """Yield the events that are needed, in their order."""
    open_blocks: list[Block] = [(name, 1, n + 1) for name, n in reversed(counts) if n]
    sure: set[Block] = set()
    while open_blocks:
        block = open_blocks.pop()
        if block not in sure and not needed(block):
            continue
        name, start, end = block
        if end - start == 1:
            yield Origin(name, start, start)
            continue
        middle = (start + end) // 2
        first, second = (name, start, middle), (name, middle, end)
        halves = [half for half in (first, second) if needed(half)]
        if not halves:
            yield Origin(name, start, end - 1)
        sure.update(halves)
        open_blocks += reversed(halves)
