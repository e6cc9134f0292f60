"""Events that an input drops, kept as dead letters where settings say so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..batch import MAIN, Batch
from ..formats.decoded import SAMPLE_BYTES, BadEvent
from .policies import Mask

Put: TypeAlias = Callable[[Mapping[str, Any]], None]


class Counts(Protocol):
    """What counts dead letters."""

    dead_letters: int


@dataclass
class InputLetters:
    """The dead letters of one input.

    Attributes:
        name: the input.
        counts: where they are counted.
        put: takes the record of one event; None where events are dropped without a trace.
    """

    name: str
    counts: Counts
    put: Put | None = None

    def bad(self, events: Iterable[BadEvent]) -> None:
        """Keep events that could not be decoded, or do not fit."""
        if self.put is None:
            return
        for bad in events:
            position: dict[str, Any] = {"input": self.name, "event": bad.event}
            if bad.file:
                position["file"] = bad.file
            if bad.line is not None:
                position["line"] = bad.line
            self._keep(position, bad.reason, bad.text.decode(errors="replace"))

    def rows(self, batch: Batch, dropped: Mask, reason: str) -> None:
        """Keep the rows of the mask: of each the fields that the query reads."""
        if self.put is None or not dropped.any():
            return
        some = batch.take(np.flatnonzero(dropped))
        texts = some.relations[MAIN].record().to_json(marked=False).to_pylist()
        for event, text in zip(some.events.tolist(), texts, strict=True):
            shown = (text or "").encode()[:SAMPLE_BYTES].decode(errors="ignore")
            self._keep({"input": self.name, "event": event}, reason, shown)

    def _keep(self, position: Mapping[str, Any], reason: str, text: str) -> None:
        assert self.put is not None
        self.put({"kind": "input", **position, "reason": reason, "text": text})
        self.counts.dead_letters += 1
