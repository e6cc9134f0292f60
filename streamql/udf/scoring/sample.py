"""Sends rows of a sample to a model, as many at a time as are wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from ...errors import UsageError
from ...projects.files import read_bytes
from .batch import Batch, Part, Texts
from .exchange import Exchange
from .failure import Clock
from .function import ModelFunction
from .stats import ScoringStats
from .watch import Watch

_MOST = 100_000
"""Rows of a sample; the rest of a longer file is not read."""


def read_sample(path: str, content: bytes) -> list[str]:
    """Return the rows in JSON lines as texts. Raises UsageError for what is none."""
    rows: list[str] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(orjson.dumps(orjson.loads(line)).decode())
        except orjson.JSONDecodeError as error:
            said = error.msg.partition(": line ")[0]
            raise UsageError(
                f"{path}: line {number:,} is not JSON: {said} (character {error.pos + 1})",
                hint="a sample has one row in each line, as the model gets it: "
                '[1, "Mon"] or {"a": 1, "b": "Mon"}',
            ) from None
        if len(rows) == _MOST:
            break
    if not rows:
        raise UsageError(f"{path} has no rows", hint="a sample has one row in each line")
    return rows


def load_sample(path: str) -> list[str]:
    """Return the rows of a file. Raises UsageError."""
    return read_sample(path, read_bytes(Path(path)))


class Sample:
    """Rows that are sent again and again, over the transport that a job has."""

    def __init__(self, function: ModelFunction, rows: list[str], most: int) -> None:
        """`most` is the greatest number of rows that will be sent at a time."""
        function.prepare()
        self.transport = function.transport()
        settings, clock = function.settings, Clock()
        self.protocol = settings.protocol
        self._count = len(rows)
        # what no request can hold is not laid out: long rows would fill the memory
        average = max(1, sum(map(len, rows)) // self._count)
        most = min(most, 2 * settings.max_batch_bytes // average + 1)
        copies = -(-(most + self._count) // self._count)
        self._texts = Texts(pa.array(rows * copies, pa.string()))
        self._events = np.arange(1, len(self._texts) + 1)
        self._next = 0
        watch = Watch(function.name, self.transport.target, False, lambda _: None, clock)
        self._exchange = Exchange(
            function.name, self.transport, settings, ScoringStats(), watch, clock
        )
        room = settings.max_batch_bytes - len(self.protocol.body([b""]))
        self.fitting = max(1, self._texts.fitting(0, most, max(1, room)))

    async def send(self, count: int) -> None:
        """Send the next rows in one request; the first come after the last. Raises Failure."""
        start = self._next
        self._next = (start + count) % self._count
        part = Part(None, self._texts, self._events, start, start + count)
        await self._exchange.once(Batch([part]))
