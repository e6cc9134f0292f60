"""What every connector offers: sources with readers, and sinks.

A connector moves events in and rows out and knows positions; how bytes become rows is the format's
business. Which connector a URI means is in `catalog`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..column import Column
from ..formats.decoded import Decoded

Position: TypeAlias = Mapping[str, Any]
"""Where a reader is: small values that fit into JSON; only its connector understands them."""

ALL = "all"
"""The name of the only partition of a source that has no partitions."""

AT_LEAST_ONCE = "at least once"
"""What a sink promises that cannot take back rows: after a restart some may come again."""

EXACTLY_ONCE = "exactly once"
"""What a sink promises that takes back, or never shows, rows behind the last checkpoint."""

SinkState: TypeAlias = dict[str, Any]
"""What a sink leaves in a checkpoint: plain values and Arrow arrays, as in `runtime.state`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that an output's place did not take when it was stored.

    Attributes:
        event: the number of the event that it came from; None: nobody knows.
        reason: what the place says.
        text: the row, as JSON.
    """

    event: int | None
    reason: str
    text: str


class Source(ABC):
    """Where events come from. Opening a source twice gives the same events, if it can.

    Attributes:
        name: how messages call it: the path or URI.
        live: events come as they happen, so that the clock tells when each has arrived; a source
            that holds what has happened already can be read at any speed.
    """

    name: str
    live: bool = False

    def partitions(self) -> Sequence[str]:
        """Name the independent parts; they are stable across restarts."""
        return (ALL,)

    @abstractmethod
    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        """Open a part at a position that an earlier reader reported, or at its start."""


class Reader(ABC):
    """Reads one partition. Used from one thread, the reader thread of the input.

    Order of calls: `read` until it returns None, with `position` between the calls; `close` once,
    at any time. Nothing is called after `close`.
    """

    @abstractmethod
    def read(self) -> list[Decoded] | None:
        """Return the events that are there now, None at the end of the input.

        Waits for input when there is none, but never for more than there is: an event is returned
        as soon as it has come. The list may be empty (bytes came, but no whole event). Numbers of
        events rise over the whole partition. `InputError` when it cannot be read on; all events
        before the damage have been returned by then.
        """

    @abstractmethod
    def position(self) -> Position:
        """Return where to resume: after the last event that `read` returned."""

    @abstractmethod
    def close(self) -> None:
        """Free what the reader holds."""


class Sink(ABC):
    """Where rows go. Used from one thread, the writer thread of the output.

    Order of calls: `write` and `write_records` in any order, `flush` between them; `close` once, at
    last, also after an error. In jobs with checkpoints `resume` comes first and `prepare` and
    `commit` in turn between the writes, the last pair before `close`. All raise `OutputError`,
    which says how many rows were written. After one with `retriable`, or with `row` (that row does
    not fit), the sink is as if it had not been called.

    A sink that stores rows later than `write`, and whose place may refuse some then, leaves these
    out if it is `dropping`, and tells `on_refused` of each once it is sure that it will not be
    there; else such a row is an error. To say where rows come from it has the `events` of the next
    `write`.

    Attributes:
        name: how messages call it: the path or URI.
        delivery: what it promises after a restart.
        rows: how many rows were written so far.
        dropping, on_refused, events: set by whoever writes.
    """

    name: str
    delivery: str = AT_LEAST_ONCE
    rows: int = 0
    dropping: bool = False
    on_refused: Callable[[Refused], None] | None = None
    events: NDArray[np.int64] | None = None

    @abstractmethod
    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        """Write rows given as columns."""

    @abstractmethod
    def write_records(self, texts: pa.StringArray) -> None:
        """Write rows that are records already (JSON text)."""

    def flush(self) -> None:
        """Let others see what was written so far."""

    def resume(self, state: SinkState | None) -> None:
        """Go on after the checkpoint in which `prepare` left this state; None: there is none yet.

        Called once, before all else, in jobs with checkpoints and in no others. A sink that can
        takes back what was written later, and commits what was prepared then but not committed.
        """

    def prepare(self, epoch: int) -> SinkState:
        """Make sure that what was written so far outlives a crash, and return what that takes.

        The state is saved with the checkpoint of this epoch; then `commit` is called. After a crash
        between the two, `resume` gets the state and must do what `commit` would have done.
        """
        self.flush()
        return {}

    def commit(self, epoch: int) -> None:
        """Show what was prepared: the checkpoint is saved. May be called twice for an epoch."""

    @property
    def full(self) -> bool:
        """Whether so much waits to be committed that a checkpoint should be taken soon."""
        return False

    @abstractmethod
    def close(self) -> None:
        """Complete the output and free what the sink holds."""


def shifted(decoded: Decoded, base: int, skip: int, file: str = "") -> Decoded | None:
    """Return events with `base` added to their numbers, those up to number `skip` left out.

    `file` is the one the bad events are in, and is named behind the reasons. None when nothing is
    left.
    """
    rows, events, bad = decoded.rows, decoded.events, decoded.bad
    if base:
        events = events + base
    if bad and (base or file):
        where = f" (in {file})" if file else ""
        bad = tuple(
            replace(b, event=b.event + base, reason=b.reason + where, file=file or b.file)
            for b in bad
        )
    if skip:
        keep = events > skip
        if not keep.all():
            rows, events = rows.filter(keep), events[keep]
        bad = tuple(b for b in bad if b.event > skip)
    return Decoded(rows, events, bad) if len(events) or bad else None


def last_event(decoded: Decoded) -> int:
    """Return the number of the last event, good or bad; 0 when there is none."""
    last = int(decoded.events[-1]) if len(decoded.events) else 0
    return max(last, decoded.bad[-1].event) if decoded.bad else last
