"""TIMESTAMP BY: each event gets its own time, is judged by the policies, and is put in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from ...batch import Batch
from ...column import nulls
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...grouping.keys import KeyTable
from ...units import spoken
from ..held import Held
from ..letters import InputLetters
from ..narrowing import ticks_of
from ..operator import Operator, State
from ..policies import (
    BEGIN,
    EARLY_LIMIT,
    END,
    Ints,
    Mask,
    TimeCounts,
    TimePolicy,
    judge_arrival,
    judge_order,
    newest_by_key,
)
from ..reorder import Waiting


class Order(Enum):
    """What those below need: rows as they come, only watermarks, or rows in order of time."""

    ANY = "any"
    WATERMARK = "watermark"
    TIME = "time"


@dataclass
class TimeReport:
    """Where the operator tells what it dropped and adjusted.

    `invalid` is told how many events had no valid time or key, and the number of the first;
    `letters` are given which rows are dropped, and why.
    """

    invalid: Callable[[int, int], None]
    counts: TimeCounts = field(default_factory=TimeCounts.none)
    letters: InputLetters | None = None

    def dropped(self, batch: Batch, rows: Mask, reason: str) -> None:
        """Tell which rows of a batch are dropped."""
        if self.letters is not None:
            self.letters.rows(batch, rows, reason)


class SetTimeOperator(Operator):
    """Sets the time of each row; a row without a valid time is a data error and is dropped.

    Without a policy, rows that must be in order wait for the end of the input: only then is it
    known that nothing older comes. With a policy they wait for the watermark. `over` are the keys
    of substreams: each has its own largest time, so that the order of rows is judged within one;
    the watermark of all of them together is what late arrival guarantees where events arrive by
    the clock; otherwise it is known at the end only.

    `start` is the time that events have which bring no arrival: such an event arrives at its own
    time.
    """

    def __init__(
        self,
        value: Expr,
        over: tuple[Expr, ...],
        policy: TimePolicy | None,
        order: Order,
        start: int,
        report: TimeReport,
    ) -> None:
        self._value = value
        self._over = over
        self._policy = policy
        self._order = order
        self._start = start
        self._report = report
        self._keys = KeyTable(len(over))
        self._by_key: dict[int, int] = {}
        self._newest = BEGIN
        self._arrived = BEGIN
        self._waiting = Waiting()
        report.counts.policy = policy

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        counts = self._report.counts
        counts.judged += batch.count
        batch = self._judged(self._timed(batch))
        counts.used += batch.count
        if self._order is not Order.TIME:
            if batch.count:
                yield batch
            return
        self._waiting.add(batch)
        yield from self._waiting.until(self._watermark())

    def on_watermark(self, time: int) -> Iterable[Batch]:
        """Let rows go; the watermark of an input is the time before which no event arrives."""
        if time == END:
            return self._waiting.until(END)
        self._arrived = max(self._arrived, time)
        return self._waiting.until(self._watermark())

    def output_watermark(self, time: int) -> int:
        return END if time == END else self._watermark()

    def _watermark(self) -> int:
        policy = self._policy
        if policy is None:
            return BEGIN
        known = BEGIN
        if policy.late is not None and self._arrived > BEGIN:
            known = self._arrived - policy.late
        if not self._over and self._newest > BEGIN:
            known = max(known, self._newest - policy.order)
        return known

    # -- times ------------------------------------------------------------------------------

    def _timed(self, batch: Batch) -> Batch:
        times, known = self._times(batch)
        if self._over:
            keys = Evaluation(batch)
            for key in self._over:
                known = known & keys.column(key).valid()
        # an event that does not say when it arrived is neither late nor early
        arrivals = np.where(batch.times == self._start, times, batch.times)
        if not known.all():
            bad = np.flatnonzero(~known)
            self._report.invalid(len(bad), int(batch.events[bad[0]]))
            self._report.dropped(batch, ~known, "no valid time, or no key, for TIMESTAMP BY")
            batch, times, arrivals = batch.filter(known), times[known], arrivals[known]
        policy = self._policy
        if policy is None or policy.late is None or batch.count == 0:
            return replace(batch, times=times)
        early = times > arrivals + EARLY_LIMIT
        times, keep = judge_arrival(times, arrivals, policy.late, policy.drop, self._report.counts)
        if not keep.all():
            self._report.dropped(batch, early, "dated more than 5 min after its arrival")
            late = f"late by more than {spoken(policy.late)}"
            self._report.dropped(batch, ~keep & ~early, late)
        return replace(batch, times=times).filter(keep)

    def _judged(self, batch: Batch) -> Batch:
        policy = self._policy
        if policy is None or batch.count == 0:
            return batch
        if self._over:
            values = Evaluation(batch)
            codes = self._keys.codes([values.column(k) for k in self._over], batch.count)
            newest = newest_by_key(batch.times, codes, self._by_key)
        else:
            newest = np.maximum(np.maximum.accumulate(batch.times), self._newest)
        self._newest = max(self._newest, int(newest.max()))
        times, keep = judge_order(
            batch.times, newest, policy.order, policy.drop, self._report.counts
        )
        if not keep.all():
            reason = f"out of order by more than {spoken(policy.order)}"
            self._report.dropped(batch, ~keep, reason)
        return replace(batch, times=times).filter(keep)

    def _times(self, batch: Batch) -> tuple[Ints, Mask]:
        try:
            column = Evaluation(batch).column(self._value)
        except RunError:
            # an error in one row's time must not sink the others: find them one by one
            if batch.count == 1:
                column = nulls(1)
            else:
                halves = np.array_split(np.arange(batch.count), 2)
                found = [self._times(batch.take(half)) for half in halves]
                return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])
        return ticks_of(column)

    # -- state ------------------------------------------------------------------------------

    def held(self) -> Held:
        what = (self._waiting, self._keys, self._by_key)
        return Held(self._waiting.count, self._keys.count, what)

    def snapshot(self) -> State:
        return {
            "newest": self._newest,
            "arrived": self._arrived,
            "keys": self._keys.snapshot(),
            "by_key": {str(k): v for k, v in self._by_key.items()},
            "waiting": self._waiting.snapshot(),
        }

    def restore(self, state: State) -> None:
        self._newest = state["newest"]
        self._arrived = state["arrived"]
        self._keys.restore(state["keys"])
        self._by_key = {int(k): v for k, v in state["by_key"].items()}
        self._waiting.restore(state["waiting"])
