"""What a job did, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .runtime.accounts import Account, OutputAccount, account
from .runtime.readers import InputCounts
from .units import spoken

if TYPE_CHECKING:
    from .udf.scoring.stats import ScoringStats


@dataclass(frozen=True)
class CheckpointOutcome:
    """What a job with checkpoints says of them at its end.

    Attributes:
        place: where they are.
        resumed: the one it continued from; None: it began at the start.
        last: the last one it has taken, None if none.
        stopped: it was told to stop before its inputs ended.
        idle: it had finished before, and its inputs had nothing more.
    """

    place: str
    resumed: int | None = None
    last: int | None = None
    stopped: bool = False
    idle: bool = False

    def sentences(self) -> list[str]:
        """Return what a person should know of them, one line each."""
        if self.idle:
            return [
                f"nothing to do: the job had finished with checkpoint {self.last} in {self.place}, "
                f"and its inputs have nothing more"
            ]
        lines = []
        if self.resumed is not None:
            lines.append(f"continued from checkpoint {self.resumed} in {self.place}")
        if self.stopped:
            lines.append(
                f"stopped with checkpoint {self.last} in {self.place}: "
                f"the same command continues from there"
            )
        return lines


@dataclass(frozen=True)
class JobSummary:
    """The figures of a finished job.

    Attributes:
        inputs: what came in, by input.
        rows: how many rows each output got.
        seconds: wall time from start to end.
        requests: requests made to scoring functions.
        scoring: what the scoring functions did, by name; those that did nothing are left out.
        rejected: rows that could not be scored and that `on_error` decided about.
        failed_calls: how many calls of JavaScript and Python functions failed, by function, and
            `on_error` decided about.
        outputs: where the rows went, by output; of outputs with one URI, by the first.
        checkpoints: what became of them; None for a job without.

    After a restart the figures of inputs and outputs are those of all runs together.
    """

    inputs: Mapping[str, InputCounts]
    rows: Mapping[str, int]
    seconds: float
    requests: int = 0
    rejected: int = 0
    failed_calls: Mapping[str, int] = field(default_factory=dict)
    scoring: Mapping[str, ScoringStats] = field(default_factory=dict)
    outputs: Mapping[str, OutputAccount] = field(default_factory=dict)
    checkpoints: CheckpointOutcome | None = None

    @property
    def events(self) -> int:
        """Events read, malformed ones included."""
        return sum(c.events for c in self.inputs.values())

    @property
    def bad_events(self) -> int:
        """Events that could not be decoded."""
        return sum(c.bad for c in self.inputs.values())

    def accounts(self) -> dict[str, Account]:
        """Return where the events of each input went."""
        return {name: account(counts) for name, counts in self.inputs.items()}

    @property
    def dropped(self) -> dict[str, int]:
        """How many of an output's rows it did not take, for those that did not take some."""
        return {name: output.dropped for name, output in self.outputs.items() if output.dropped}

    def figures(self) -> dict[str, Any]:
        """Return the figures as plain values, for logs."""
        return {
            "events": self.events,
            "malformed": self.bad_events,
            "rows": dict(self.rows),
            "seconds": round(self.seconds, 3),
            "requests": self.requests,
            "rejected": self.rejected,
            "failed_calls": sum(self.failed_calls.values()),
        }

    def sentences(self) -> list[str]:
        """Return what a person should know, one line each; the first is the summary."""
        rows = ", ".join(f"{n:,} row{_s(n)} to {name}" for name, n in self.rows.items())
        parts = [f"{self.events:,} event{_s(self.events)}", rows]
        if self.requests:
            parts.append(f"{self.requests:,} request{_s(self.requests)}")
        parts.append(f"{self.seconds:.2f} s")
        lines = [", ".join(parts)]
        for name, counts in self.inputs.items():
            if counts.bad and counts.first_bad is not None:
                first = counts.first_bad
                where = f", line {first.line:,}" if first.line is not None else ""
                lines.append(
                    f"{counts.bad:,} of {counts.events:,} events of {name} malformed, skipped; "
                    f"the first: event {first.event:,}{where}: {first.reason}"
                )
            if counts.invalid_times:
                lines.append(
                    f"{counts.invalid_times:,} of {counts.events:,} events of {name} without a "
                    f"valid timestamp, dropped; the first: event {counts.first_invalid_time:,}"
                )
            lines += _times(name, counts)
            if counts.dead_letters:
                lines.append(
                    f"{counts.dead_letters:,} event{_s(counts.dead_letters)} of {name} kept as "
                    f"dead letter{_s(counts.dead_letters)}"
                )
            if missing := account(counts).missing:
                lines.append(f"{missing:,} {name} events are unaccounted for: a defect of streamql")
        lines += [stats.sentence(name) for name, stats in self.scoring.items()]
        for name, output in self.outputs.items():
            if output.dropped:
                lines.append(f"{output.dropped:,} of the rows to {name} did not fit there, dropped")
            if output.missing:
                lines.append(
                    f"{output.missing:,} rows to {name} are unaccounted for: a defect of streamql"
                )
        for name, count in self.failed_calls.items():
            called = name if name.startswith("uda.") else f"udf.{name}"
            lines.append(f"{count:,} call{_s(count)} of {called} failed: on_error decided")
        if self.rejected:
            lines.append(f"{self.rejected:,} row{_s(self.rejected)} not scored: on_error decided")
        return lines + (self.checkpoints.sentences() if self.checkpoints is not None else [])


def _times(name: str, counts: InputCounts) -> list[str]:
    """Return a sentence for each rule about time that events of an input broke."""
    times = counts.times
    policy = times.policy
    of = f"of {counts.events:,} events of {name}"
    lines = []
    if times.early.count:
        lines.append(
            f"{times.early.count:,} {of} more than 5 min before their arrival, dropped; "
            f"the worst by {spoken(times.early.worst)}"
        )
    if policy is None:
        return lines
    done = "dropped" if policy.drop else "moved to what is allowed"
    if times.late.count:
        lines.append(
            f"{times.late.count:,} {of} late by more than {spoken(policy.late or 0)}, {done}; "
            f"the worst by {spoken(times.late.worst)}"
        )
    if times.disordered.count:
        lines.append(
            f"{times.disordered.count:,} {of} out of order by more than {spoken(policy.order)}, "
            f"{done}; the worst by {spoken(times.disordered.worst)}"
        )
    return lines


def _s(count: int) -> str:
    return "" if count == 1 else "s"
