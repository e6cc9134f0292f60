"""What an operator is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from ..batch import Batch
from .held import NOTHING, Held

State = dict[str, Any]


class Operator(ABC):
    """Turns batches into batches. Called from one thread; owns its state, shares none.

    Order of calls: `restore` at most once; then `on_batch` and `on_watermark` in any order, with
    `snapshot` between them; then `on_end` once. Operators never read a clock, a socket or the
    configuration: time arrives as a watermark. The one operator with work in flight is scoring: it
    is `saturated` when the source must wait, and `poll` gives what has come back.

    Rows come in order of (time, arrival) on each port, and after a watermark no row comes that is
    older than it. What an operator puts out must keep both promises towards `output_watermark`.
    """

    version: ClassVar[int] = 1

    @abstractmethod
    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        """Return the batches that these rows complete; `port` tells the inputs of a join apart."""

    def on_watermark(self, time: int) -> Iterable[Batch]:
        """Return the batches that are complete because nothing older than `time` will come.

        `time` rises from call to call; with several ports it is the least of theirs. At the end of
        the inputs it is `policies.END`.
        """
        return ()

    def output_watermark(self, time: int) -> int:
        """Return the watermark of what this operator puts out, when that of its input is `time`."""
        return time

    def on_idle(self) -> Iterable[Batch]:
        """Called when no more rows are there right now: what waits for company need not wait."""
        return ()

    def on_end(self) -> Iterable[Batch]:
        """Return the last batches: no row will come any more."""
        return ()

    def poll(self) -> Iterable[Batch]:
        """Return the batches that have become complete by themselves."""
        return ()

    @property
    def saturated(self) -> bool:
        """Whether the sources above must wait."""
        return False

    @property
    def pending(self) -> bool:
        """Whether `poll` may still return something without another row."""
        return False

    def held(self) -> Held:
        """Return how much the operator keeps for later; cheap enough to be asked all the time."""
        return NOTHING

    def snapshot(self) -> State:
        """Return the state as plain values and Arrow arrays."""
        return {}

    def restore(self, state: State) -> None:
        """Take over a state that `snapshot` returned."""

    def close(self) -> None:
        """Give up whatever is in flight; called once, also after a failure."""
