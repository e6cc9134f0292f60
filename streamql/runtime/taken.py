"""What is told of the checkpoints that a run takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .metrics import Histogram


@dataclass
class Taken:
    """Counts checkpoints. Told by the thread that takes them; others may read.

    Attributes:
        seconds: how long each took, from noting the state to the last output's commit.
        bytes: the size of the newest.
        listeners: are told the epoch, seconds and bytes of each, in the thread that took it.
    """

    seconds: Histogram = field(default_factory=Histogram)
    bytes: int = 0
    listeners: list[Callable[[int, float, int], None]] = field(default_factory=list)

    def note(self, epoch: int, seconds: float, size: int) -> None:
        """A checkpoint is complete."""
        self.bytes = size
        self.seconds.observe(seconds)
        for tell in self.listeners:
            tell(epoch, seconds, size)
