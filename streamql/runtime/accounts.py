"""What became of events and rows: each was used, or dropped for a reason that is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .readers import InputCounts


@dataclass(frozen=True)
class Account:
    """Where the events of one input went.

    Attributes:
        events: how many came in.
        used: how many the query got.
        dropped: how many were dropped, by reason: `malformed`, `unfit` (for CREATE TABLE),
            `invalid_time`, `early`, `late`, `out_of_order`.
        dead_letters: how many of the dropped ones were kept as dead letters.
        uses: how often the query times the events: by each TIMESTAMP BY that differs. An event is
            used, or dropped because of its time, by each of them, and is counted for each.
    """

    events: int
    used: int
    dropped: Mapping[str, int]
    dead_letters: int = 0
    uses: int = 1

    @property
    def missing(self) -> int:
        """How many events neither the query got nor a reason explains; none, if all is well."""
        before = self.dropped["malformed"] + self.dropped["unfit"]
        later = sum(self.dropped.values()) - before
        return (self.events - before) * self.uses - later - self.used


@dataclass(frozen=True)
class OutputAccount:
    """Where the rows of one output went.

    Attributes:
        rows: how many the query gave, for all names under which this place is an output.
        written: how many it took.
        dropped: how many it did not take, so that they were dropped.
    """

    rows: int
    written: int
    dropped: int = 0

    @property
    def missing(self) -> int:
        """How many rows were neither written nor dropped; none, if all is well."""
        return self.rows - self.written - self.dropped


def account(counts: InputCounts) -> Account:
    """Return where the events went of which these are the counts."""
    times, policy = counts.times, counts.times.policy
    drops = policy is not None and policy.drop
    dropped = {
        "malformed": counts.bad - counts.unfit,
        "unfit": counts.unfit,
        "invalid_time": counts.invalid_times,
        "early": times.early.count,
        "late": times.late.count if drops else 0,
        "out_of_order": times.disordered.count if drops else 0,
    }
    uses = max(1, -(-times.judged // counts.given)) if counts.given else 1
    used = times.used if times.judged else counts.given
    return Account(counts.events, used, dropped, counts.dead_letters, uses)
