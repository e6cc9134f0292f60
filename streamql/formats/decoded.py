"""What a format makes of bytes: rows with their event numbers, and the events that are no rows.

A format that can be read as a stream offers a `Decoder`, which takes blocks of bytes cut anywhere.
One that needs the whole file (parquet has its index at the end) offers a function
`read_file(path) -> Iterator[Decoded]` instead. Either way memory is bounded by the block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..rows import Rows

Place: TypeAlias = Mapping[str, Any]
"""Where a decoder can go on."""

SAMPLE_BYTES = 64 << 10
"""How much of a bad event is kept, for a dead letter."""


@dataclass(frozen=True, slots=True)
class BadEvent:
    """An event that could not be decoded.

    Attributes:
        event: its number in the input, from 1; good and bad events share the numbers.
        reason: what is wrong with it, in words that fit after "event 7: ".
        text: its first bytes.
        line: its line in the file, from 1, where that is known.
        file: the file it is in, where an input has several.
    """

    event: int
    reason: str
    text: bytes
    line: int | None = None
    file: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Events decoded from one input, in their order.

    Attributes:
        rows: the good events.
        events: their numbers in the input, from 1, one per row, rising.
        bad: the events between them that could not be decoded.
    """

    rows: Rows
    events: NDArray[np.int64]
    bad: tuple[BadEvent, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)


class Decoder(Protocol):
    """Turns the bytes of one input into events. Used once, from one thread.

    `feed` takes the next bytes, cut anywhere, and returns all events that are complete by now.
    `finish` comes once, after the last `feed`, and returns what the end of the input completes.
    A file that is not of the format at all raises `InputError`; a single event that does not fit is
    a `BadEvent`.

    `place` tells where another decoder can go on behind the events that were returned: after so
    many `bytes`, and what else `resume` must know, in values that fit into JSON; None where a
    decoder can only begin at the start. `resume` comes before the first `feed`; the events are
    numbered from 1 again.
    """

    def feed(self, data: bytes) -> list[Decoded]: ...

    def finish(self) -> list[Decoded]: ...

    def place(self) -> Place | None: ...

    def resume(self, place: Place) -> None: ...


def numbered(rows: Rows, first: int) -> Decoded:
    """Return rows without bad events among them, the first of which is event `first`."""
    return Decoded(rows, np.arange(first, first + len(rows), dtype=np.int64))
