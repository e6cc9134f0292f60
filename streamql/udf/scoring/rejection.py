"""What happens to rows that could not be scored: `on_error`, the job's error, dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ...column import Column
from ...errors import FunctionError
from ...network.retry import Retry
from .answers import repeated
from .batch import Batch
from .failure import Failure, shortened
from .protocols.protocol import BadRow
from .settings import OnError, ScoringSettings
from .stats import ScoringStats
from .ticket import Letter
from .transport import Transport


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        column: the results of the rows up to the failure (all rows without one).
        decided: the rows that `on_error` decided about; None when there are none.
        drops: whether these leave the stream.
        rejected: dead letters, each with its row.
        failed: the row at which the job has to stop, and why.
        causes: the rows that could not be scored, each with its failure.
    """

    column: Column
    decided: NDArray[np.bool_] | None = None
    drops: bool = False
    rejected: list[tuple[int, Letter]] = field(default_factory=list)
    failed: tuple[int, FunctionError] | None = None
    causes: list[tuple[int, Failure]] = field(default_factory=list)


class Stop(Exception):
    """The row at which the job has to stop."""

    def __init__(self, row: int, error: FunctionError) -> None:
        super().__init__(error.message)
        self.row = row
        self.error = error


class Rejections:
    """Decides about rows that could not be scored."""

    def __init__(
        self, alias: str, transport: Transport, settings: ScoringSettings, stats: ScoringStats
    ) -> None:
        self._alias = alias
        self._transport = transport
        self._target = transport.target
        self._settings = settings
        self._stats = stats

    def decide(
        self,
        batch: Batch[Any],
        start: int,
        stop: int,
        failure: Failure,
        outcome: Outcome,
    ) -> Column:
        """Return what stands for rows that could not be scored. Raises Stop when the job stops.

        A failure that neither rows nor time can heal (a wrong key, a wrong address) stops the job
        whatever `on_error` says: it would happen to all rows.
        """
        policy = self._settings.on_error
        lasting = not failure.rows_to_blame and not failure.spent
        if not lasting:
            outcome.causes += [(row, failure) for row in range(start, stop)]
        if policy.action is OnError.FAIL or lasting:
            raise Stop(start, self._error(batch, start, stop, failure))
        self._stats.rejected_events += stop - start
        if outcome.decided is None:
            outcome.decided, outcome.drops = np.zeros(len(batch), bool), policy.drops
        outcome.decided[start:stop] = True
        if policy.action is OnError.DEAD_LETTER:
            for row in range(start, stop):
                outcome.rejected.append((row, self._letter(batch, row, failure)))
        value = policy.default if policy.action is OnError.DEFAULT else None
        return repeated(value, stop - start)

    def _error(self, batch: Batch[Any], start: int, stop: int, failure: Failure) -> FunctionError:
        message = f"udf.{self._alias}: {self._target} {failure.cause}"
        if failure.body:
            message += f": {shortened(failure.body.strip())}"
        row = shortened(batch.text(start))
        rest = stop - start - 1
        message += f"; row {row}" + (f" and {rest:,} more" if rest else "")
        hint = failure.hint
        if hint is None and failure.rows_to_blame:
            hint = (
                f"set {self._alias}.on_error to null, default: VALUE, skip or dead_letter "
                "to go on without such rows"
            )
        if hint is None and failure.retry is not Retry.NEVER:
            hint = (
                f"{self._alias}.max_retries and {self._alias}.total_timeout let it be tried longer"
            )
        return FunctionError(message, hint=hint, event=batch.event(start))

    def _letter(self, batch: Batch[Any], row: int, failure: Failure) -> Letter:
        text = batch.text(row)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = json.loads(text)
        letter = {
            "function": self._alias,
            "event": batch.event(row),
            "row": value,
            "url": self._target,
            "error": failure.cause,
            "status": failure.status,
            "body": shortened(failure.body),
        }
        try:
            request = self._transport.curl(self._settings.protocol.body(batch.rows(row, row + 1)))
        except BadRow:
            request = None  # it was never sent
        return letter if request is None else letter | {"request": request}
