"""Remote calls: batched, in parallel, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...batch import Batch, pack, unpack
from ...column import combine
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import CALLS, Call, Expr
from ...rows import ColumnRows
from ..held import Held
from ..operator import Operator, State


@dataclass(eq=False)
class _Waiting:
    """A batch on its way: the rows that were sent, and the ticket for their answers."""

    batch: Batch
    rows: NDArray[np.int64]
    ticket: Any


class ScoreOperator(Operator):
    """Sends one value per row to a scoring function and puts the answers beside the rows.

    Only rows for which the guard is true are sent; for the others the answer is NULL. Batches leave
    in the order in which they came, unless the function is set to `ordered=false` and nobody who
    reads them needs the order (`any_order`).
    """

    def __init__(
        self, name: str, call: Call, guard: Expr | None, scorer: Any, any_order: bool = False
    ) -> None:
        self._name = name
        self._call = call
        self._guard = guard
        self._scorer = scorer
        self._any_order = any_order and not scorer.ordered
        self._waiting: deque[_Waiting] = deque()

    def on_batch(self, batch: Batch, port: int) -> Iterable[Batch]:
        self._submit(batch)
        return self.poll()

    def _submit(self, batch: Batch) -> None:
        rows = np.arange(batch.count)
        if self._guard is not None:
            rows = rows[Evaluation(batch).truth(self._guard)]
        some = batch if len(rows) == batch.count else batch.take(rows)
        argument = Evaluation(some).column(self._call.arguments[0])
        texts = argument.to_json(marked=False)
        ticket = self._scorer.submit(texts, batch.events[rows])
        self._waiting.append(_Waiting(batch, rows, ticket))

    def on_idle(self) -> Iterable[Batch]:
        self._scorer.flush()
        return self.poll()

    def poll(self) -> Iterator[Batch]:
        if self._any_order:
            # after a failure it is the earliest that tells the row
            for waiting in [w for w in self._waiting if w.ticket.done]:
                self._waiting.remove(waiting)
                yield from self._answered(waiting)
        while self._waiting and self._waiting[0].ticket.done:
            yield from self._answered(self._waiting.popleft())

    def on_end(self) -> Iterator[Batch]:
        self._scorer.flush(final=True)
        while self._waiting:
            yield from self.poll()
            if self._waiting:
                self._scorer.wait(0.1)

    def output_watermark(self, time: int) -> int:
        if not self._waiting:
            return time
        return min(time, *(int(w.batch.times.min()) for w in self._waiting))

    @property
    def saturated(self) -> bool:
        return bool(self._scorer.saturated)

    @property
    def pending(self) -> bool:
        return bool(self._waiting)

    def held(self) -> Held:
        batches = [waiting.batch for waiting in self._waiting]
        return Held(sum(batch.count for batch in batches), 0, (batches,))

    def snapshot(self) -> State:
        return {"waiting": [pack(w.batch) for w in self._waiting]}

    def restore(self, state: State) -> None:
        for batch in state["waiting"]:
            self._submit(unpack(batch))

    def close(self) -> None:
        self._scorer.cancel()

    def _answered(self, waiting: _Waiting) -> Iterator[Batch]:
        batch, rows = waiting.batch, waiting.rows
        try:
            answers = waiting.ticket.result()
        except RunError as error:
            if error.event is None and error.row is not None:
                error.event = int(batch.events[rows[error.row]]) or None
            raise error.at(self._call.span) from None
        if len(rows) != batch.count:
            answers = combine(batch.count, [(rows, answers)])
        known = batch.relations.get(CALLS)
        columns = dict(known.columns) if isinstance(known, ColumnRows) else {}
        columns[self._name] = answers
        batch = batch.with_rows(CALLS, ColumnRows(columns, batch.count))
        skipped = waiting.ticket.skipped
        if skipped is not None and skipped.any():
            keep = np.ones(batch.count, bool)
            keep[rows[skipped]] = False
            batch = batch.filter(keep)
        if batch.count:
            yield batch
