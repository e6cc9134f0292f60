"""Keeps what a model answered: a scorer in front of another one, which notes every row."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .calls import CallRecorder
from .failure import Failure
from .forwarding import ForwardingScorer
from .scorer import Scorer
from .ticket import Ticket


class RecordingScorer(ForwardingScorer):
    """Passes rows on, and writes each with its answer when its ticket's result is taken.

    Rows leave in the order in which they came, whatever `ordered` says, so that two runs write the
    same file.
    """

    def __init__(self, inner: Scorer, alias: str, recorder: CallRecorder) -> None:
        super().__init__(inner)
        self.ordered = True
        self._alias = alias
        self._recorder = recorder

    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        ticket = self._inner.submit(rows, events)
        ticket.witness = partial(self._note, rows)
        return ticket

    def _note(self, rows: pa.StringArray, ticket: Ticket) -> None:
        """Write the rows of a ticket up to the one that failed, that one included."""
        texts = rows.cast(pa.string()).fill_null("null").to_pylist()
        failures = dict(ticket.failures)
        known: dict[int, bytes | Failure] = dict(failures)
        for start, column in ticket.known:
            answers = column.to_json(marked=False).fill_null("null").to_pylist()
            for row, answer in enumerate(answers, start):
                known.setdefault(row, answer.encode())
        # after a failure of the job, what else was answered depends on time
        end = len(texts) if ticket.failed_row is None else ticket.failed_row + 1
        calls = [(texts[row].encode(), known[row]) for row in range(end) if row in known]
        if calls:
            self._recorder.put(self._alias, calls)
