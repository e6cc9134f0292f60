"""Matching with conditions that look at events bound before: one attempt for each first row.

The outcome of such a condition depends on the way to it, so attempts really go forward and back.
An attempt is a coroutine; all attempts go on together, and what they want to know of their
conditions at one moment is one evaluation over all of them. Measured cost: 7 microseconds for each
question when hundreds of attempts go on together, 0.2 ms when there are few.
What failed is remembered by (row, place, picks), so that the work of an attempt is bounded by the
number of these, not by the number of ways through the pattern.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...plan.pattern import ACCEPT, Automaton, Pick

Picked = tuple[int, ...]
"""The numbers of the events that the picks stand for; -1 where nothing is bound."""

Question = tuple[int, int, Picked]
"""Does this variable's condition hold for the event of this number, with these picks?"""

Attempt = Generator[Question | None, bool, list[int] | None]
"""Asks, or waits for rows (None); returns the places of a match row by row, or None."""


@dataclass(slots=True)
class Run:
    """The kept rows of one partition: `numbers[i]` is that of row `first + i` of the partition.

    Attributes:
        fits: for each row, which variables its own test allows.
        keys: for each row, by what the kept values that `min` and `max` look at are compared.
        closed_at: no row before this time will come any more.
    """

    first: int = 0
    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    fits: list[tuple[bool, ...]] = field(default_factory=list)
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    closed_at: int = 0

    def forget(self, before: int) -> None:
        """Drop the rows whose number is below `before`."""
        gone = 0
        while gone < len(self.numbers) and self.numbers[gone] < before:
            gone += 1
        for rows in (self.numbers, self.times, self.fits, self.keys):
            del rows[:gone]
        self.first += gone


@dataclass(frozen=True, slots=True)
class Rules:
    """What attempts have in common.

    Attributes:
        asked: the variables with a condition on bound events.
        picks: what these conditions need, and the place of each in `Run.keys`.
    """

    automaton: Automaton
    asked: frozenset[int]
    picks: Sequence[Pick]
    limit: int


def attempt(rules: Rules, run: Run, start: int) -> Attempt:
    """Look for the match that begins with row `start` of a partition."""
    follows, variables = rules.automaton.follows, rules.automaton.variables
    until = run.times[start - run.first] + rules.limit
    failed: set[tuple[int, int, Picked]] = set()
    # a frame: the place taken, the places that may follow, the next of them to try, the picks
    frames: list[list[Any]] = [[-1, rules.automaton.first, 0, (-1,) * len(rules.picks)]]
    while frames:
        frame = frames[-1]
        place, choices, number, picked = frame
        at = start + len(frames) - 1
        if number == len(choices):
            frames.pop()
            failed.add((at, place, picked))
            continue
        frame[2] += 1
        following = choices[number]
        if following == ACCEPT:
            return [f[0] for f in frames[1:]]
        while at - run.first >= len(run.numbers) and run.closed_at < until:
            yield None
        index = at - run.first
        if index >= len(run.numbers) or run.times[index] >= until:
            continue
        variable = variables[following]
        if not run.fits[index][variable]:
            continue
        if variable in rules.asked and not (yield variable, run.numbers[index], picked):
            continue
        after = _bind(rules.picks, run, index, variable, picked)
        if (at + 1, following, after) not in failed:
            frames.append([following, follows[following], 0, after])
    return None


def _bind(picks: Sequence[Pick], run: Run, index: int, variable: int, picked: Picked) -> Picked:
    """Return the picks after a row has been bound to a variable."""
    number = run.numbers[index]
    after = list(picked)
    for i, pick in enumerate(picks):
        if pick.variable is not None and pick.variable != variable:
            continue
        match pick.kind:
            case "first":
                if picked[i] < 0:
                    after[i] = number
            case "last":
                after[i] = number
            case _:
                after[i] = _better(pick.kind, i, run, index, picked[i])
    return tuple(after)


def _better(kind: str, pick: int, run: Run, index: int, best: int) -> int:
    """Return which of two events has the lesser or greater value; NULLs do not count."""
    key = run.keys[index][pick]
    if best < 0:
        return run.numbers[index] if key is not None else -1
    if key is None:
        return best
    known = run.keys[bisect_left(run.numbers, best)][pick]
    wins = key < known if kind == "min" else key > known
    return run.numbers[index] if wins else best


def go_on(
    attempts: dict[int, Attempt], answer: Callable[[int, list[Question]], Sequence[bool]]
) -> dict[int, list[int] | None]:
    """Let attempts go on until each has ended or waits; return the outcomes of those that ended.

    `answer` is given a variable and all that is asked about it.
    """
    ended: dict[int, list[int] | None] = {}
    replies: dict[int, bool | None] = dict.fromkeys(attempts)
    while replies:
        asked: dict[int, list[tuple[int, Question]]] = {}
        for number, reply in replies.items():
            going = attempts[number]
            try:
                question = next(going) if reply is None else going.send(reply)
            except StopIteration as stop:
                ended[number] = stop.value
                continue
            if question is not None:
                asked.setdefault(question[0], []).append((number, question))
        replies = {}
        for variable, questions in asked.items():
            answers = answer(variable, [q for _, q in questions])
            replies.update(zip((n for n, _ in questions), answers, strict=True))
    return ended
