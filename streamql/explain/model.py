"""The explanation of a job: its steps in the order of the data, each with its facts."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import Span


@dataclass(frozen=True)
class Measured:
    """What a run measured of one step.

    Attributes:
        rows_in, rows_out: rows that went in and came out.
        seconds: wall time of its work, that of other steps left out.
        cpu_seconds: CPU time of the pipeline's thread in it.
        state_bytes: the most it was seen to keep.
    """

    rows_in: int
    rows_out: int
    seconds: float
    cpu_seconds: float
    state_bytes: int


@dataclass(frozen=True)
class Step:
    """One step of the data's way.

    Attributes:
        number: counted from 1, in an order in which what a step reads comes before it.
        kind: `input`, `time`, `filter`, `group`, ..., `output`.
        title: the kind and what tells it from others.
        facts: what is to be known of it: labels and texts.
        reads: the numbers of the steps whose rows it gets.
        span: where it is in the query, where that is known.
    """

    number: int
    kind: str
    title: str
    facts: tuple[tuple[str, str], ...]
    reads: tuple[int, ...]
    span: Span | None = None
    measured: Measured | None = None


@dataclass(frozen=True)
class Explanation:
    """All steps of a job, and the text it was made from."""

    text: str
    steps: tuple[Step, ...]
    measured: bool = False
    notes: tuple[str, ...] = field(default=())

    def line(self, step: Step) -> int | None:
        """Return the line of the query that a step is from, counted from 1."""
        return None if step.span is None else self.text.count("\n", 0, step.span.start) + 1
