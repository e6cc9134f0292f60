"""The windows of GROUP BY. All durations are ticks of 100 ns; intervals are (start, end]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ..expressions.nodes import Expr


@dataclass(frozen=True, slots=True)
class Hopping:
    """Windows of `size` that end at the multiples of `hop`, shifted by `offset`.

    A tumbling window is one whose hop is its size. Multiples count from 0001-01-01T00:00:00Z.
    """

    size: int
    hop: int
    offset: int = 0
    identity: str | None = None

    @property
    def tumbling(self) -> bool:
        """Whether each event is in one window."""
        return self.hop == self.size


@dataclass(frozen=True, slots=True)
class Sliding:
    """A result at each instant at which what happened within the last `size` changes."""

    size: int
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Events that are at most `timeout` apart, cut at multiples of `maximum`.

    `partition` are the keys that have sessions of their own; without, all events share one.
    """

    timeout: int
    maximum: int
    partition: tuple[Expr, ...] = ()
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Events of one instant."""

    identity: str | None = None


Window: TypeAlias = Hopping | Sliding | Session | Snapshot
