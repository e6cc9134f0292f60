"""GROUP BY: one row for each window and group, when the watermark has passed the window's end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ...batch import Batch
from ...column import Column, concat, nulls
from ...errors import DataError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import GROUPED, Aggregation, Expr
from ...functions.aggregates.collect import MOST_TEXT
from ...grouping.keys import KeyTable
from ...instants import MAX_TICKS
from ...plan.windows import Hopping, Session, Window
from ...rows import ColumnRows
from ...types import Type
from ..held import Held
from ..limits import spoken_bytes
from ..operator import Operator, State
from ..windows.keeper import Arrivals, Closed, Ints, Keeper
from ..windows.kept import keeper_of
from ..windows.panes import PaneKeeper

_TIDY = 100_000
"""Keys are looked through for ones that nothing is held for when there are this many more."""


class GroupOperator(Operator):
    """Groups rows by key and windows.

    Rows come out in order of the windows' ends; at one instant in the order of the windows in the
    query, then of the keys as they first came. `keeps_no_rows`: all windows are tumbling or hopping
    and all aggregates are kept up to date row by row; rows need not come in order then.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        keys: Sequence[Expr],
        aggregations: Sequence[Aggregation],
        keeps_no_rows: bool,
    ) -> None:
        self._windows = windows
        self._exprs = keys
        self._aggregations = aggregations
        self._keys = KeyTable(len(keys))
        self._tidy_at = _TIDY
        self._sessions = [
            KeyTable(len(w.partition)) if isinstance(w, Session) and w.partition != keys else None
            for w in windows
        ]
        self._keepers: list[Keeper] = [
            PaneKeeper(w, aggregations)
            if keeps_no_rows and isinstance(w, Hopping)
            else keeper_of(w, aggregations)
            for w in windows
        ]

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        values = Evaluation(batch)
        codes = self._keys.codes([values.column(k) for k in self._exprs], batch.count)
        inputs = [[values.column(i) for i in a.inputs] for a in self._aggregations]
        for window, keeper, table in zip(self._windows, self._keepers, self._sessions, strict=True):
            own: Ints | None = None
            if table is not None and isinstance(window, Session):
                columns = [values.column(p) for p in window.partition]
                own = table.codes(columns, batch.count)
            keeper.add(Arrivals(codes, batch.times, batch.events, inputs, own))
        yield from ()

    def on_watermark(self, time: int) -> Iterator[Batch]:
        more = True
        while more:
            found = []
            for number, keeper in enumerate(self._keepers):
                closed = keeper.close(time)
                if closed is not None and len(closed.ends):
                    found.append((number, closed))
            more = any(keeper.waiting for keeper in self._keepers)
            if more and len(self._keepers) > 1:
                raise DataError(
                    "the windows of Windows() that end together give more text than is held at "
                    f"once, {spoken_bytes(MOST_TEXT)}",
                    hint="write a SELECT for each of the windows, with UNION between them: a "
                    "single window gives its values piece by piece",
                )
            if found:
                yield self._batch(found)
        self._tidy()

    def _batch(self, found: list[tuple[int, Closed]]) -> Batch:
        # a window may end after the last instant there is
        ends = np.minimum(np.concatenate([c.ends for _, c in found]), MAX_TICKS)
        codes = np.concatenate([c.codes for _, c in found])
        columns: dict[str, Column] = {}
        for i, column in enumerate(self._keys.values(codes)):
            columns[f"k{i}"] = column
        for i in range(len(self._aggregations)):
            columns[f"a{i}"] = concat([c.values[i] for _, c in found])
        columns["window"] = concat(
            [_identity(self._windows[number], len(c.ends)) for number, c in found]
        )
        nowhere = np.zeros(len(ends), np.int64)
        batch = Batch({GROUPED: ColumnRows(columns, len(ends))}, ends, nowhere)
        return batch if len(found) == 1 else batch.take(np.argsort(ends, kind="stable"))

    def _tidy(self) -> None:
        """Forget the keys that nothing is held for, once there are many."""
        if self._keys.count < self._tidy_at or not self._exprs:
            return
        live = np.unique(np.concatenate([k.live() for k in self._keepers]))
        if len(live) * 2 < self._keys.count:
            moved = self._keys.keep(live)
            for keeper in self._keepers:
                keeper.recode(moved)
        self._tidy_at = max(_TIDY, 2 * self._keys.count)

    def held(self) -> Held:
        tables = [self._keys, *(t for t in self._sessions if t is not None)]
        rows = sum(keeper.count for keeper in self._keepers)
        return Held(rows, self._keys.count, (tables, self._keepers))

    def snapshot(self) -> State:
        return {
            "keys": self._keys.snapshot(),
            "sessions": [None if t is None else t.snapshot() for t in self._sessions],
            "keepers": [k.snapshot() for k in self._keepers],
        }

    def restore(self, state: State) -> None:
        self._keys.restore(state["keys"])
        for table, known in zip(self._sessions, state["sessions"], strict=True):
            if table is not None:
                table.restore(known)
        for keeper, inner in zip(self._keepers, state["keepers"], strict=True):
            keeper.restore(inner)


def _identity(window: Window, count: int) -> Column:
    if window.identity is None:
        return nulls(count)
    return Column(Type.TEXT, pa.repeat(pa.scalar(window.identity), count))
