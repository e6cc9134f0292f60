"""Joins with reference data: each event meets the rows that are valid at its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ...batch import MAIN, Batch
from ...errors import RunError
from ...expressions.evaluate import Evaluation
from ...expressions.nodes import Expr
from ...gapped import GappedRows
from ...grouping.keys import KeyTable
from ...grouping.ranges import Ranges, argsort_codes
from ...plan.nodes import Lookup
from ...rows import Rows
from ..held import Held
from ..joined import missing, named
from ..operator import Operator
from ..references import ReferenceData, Snapshot, StackedRows

Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]
_PAIRS = 65_536
"""Pairs that are looked at, and about how many are put out, at a time."""


@dataclass
class _Index:
    """The rows of a snapshot by key.

    Attributes:
        rows: its rows, as the join sees them.
        keys: the key values of its rows; rows with a NULL among them have none.
        order: the rows, those of the first key first.
        ranges: the places in `order` of each key's rows; the last range, found by -1, is empty.
    """

    rows: Rows
    keys: KeyTable
    order: Ints
    ranges: Ranges


@dataclass
class _Candidates:
    """For each event of a batch the places in `order` of the reference rows with its keys."""

    rows: Rows
    order: Ints
    ranges: Ranges


class LookupOperator(Operator):
    """Puts beside each event the matching reference rows, in their order.

    Events keep their time, also where several rows match. INNER drops an event without a match,
    LEFT keeps it, with NULLs. Equal keys are found by hash; a NULL equals nothing, bigint 1 equals
    float 1.0, and text '1' does not. Other conditions are asked for each pair
    of event and row with equal keys. `steps` are what a WITH step makes of the reference data
    before it is joined: filters and projections.
    """

    def __init__(
        self, plan: Lookup, reference: ReferenceData, steps: Sequence[Operator] = ()
    ) -> None:
        self._plan = plan
        self._steps = steps
        self._reference = reference
        self._stream_keys = [stream for stream, _ in plan.keys]
        self._own_keys = [own for _, own in plan.keys]
        self._indices: WeakKeyDictionary[Snapshot, _Index] = WeakKeyDictionary()

    def on_batch(self, batch: Batch, port: int) -> Iterator[Batch]:
        if batch.count == 0:
            return
        batch = named(batch, self._plan.left_key)
        candidates = self._candidates(batch)
        if self._plan.condition is None and candidates.ranges.lengths.max() <= 1:
            yield from self._single(batch, candidates)
            return
        kept: list[Pairs] = []
        total = 0
        for pairs in self._matches(batch, candidates):
            kept.append(pairs)
            total += len(pairs[0])
            if total >= _PAIRS:
                yield self._joined(batch, candidates.rows, kept)
                kept, total = [], 0
        if total:
            yield self._joined(batch, candidates.rows, kept)

    def held(self) -> Held:
        indices = list(self._indices.values())
        rows = sum(len(index.rows) for index in indices)
        keys = sum(index.keys.count for index in indices)
        return Held(rows, keys, (indices, self._reference))

    # -- keys -------------------------------------------------------------------------------

    def _candidates(self, batch: Batch) -> _Candidates:
        values = Evaluation(batch)
        keys = [values.column(key) for key in self._stream_keys]
        starts, ends = np.zeros(batch.count, np.int64), np.zeros(batch.count, np.int64)
        parts: list[Rows] = []
        orders: list[Ints] = []
        count = places = 0
        for snapshot, rows in self._reference.at(batch.times):
            if snapshot is None:
                continue
            index = self._index(snapshot)
            some = keys if rows is None else [key.take(rows) for key in keys]
            codes = index.keys.find(some, batch.count if rows is None else len(rows))
            where = slice(None) if rows is None else rows
            starts[where] = index.ranges.starts[codes] + places
            ends[where] = index.ranges.ends[codes] + places
            parts.append(index.rows)
            orders.append(index.order + count)
            count += len(index.rows)
            places += len(index.order)
        rows_of_all = parts[0] if len(parts) == 1 else StackedRows(parts)
        order = np.concatenate(orders) if orders else np.zeros(0, np.int64)
        return _Candidates(rows_of_all, order, Ranges(starts, ends))

    def _index(self, snapshot: Snapshot) -> _Index:
        known = self._indices.get(snapshot)
        if known is None:
            known = self._indices[snapshot] = self._made_index(self._stepped(snapshot.rows))
        return known

    def _stepped(self, rows: Rows) -> Rows:
        """Return the reference data as the WITH step that is joined makes them."""
        count = len(rows)
        batches = [Batch({MAIN: rows}, np.zeros(count, np.int64), np.arange(1, count + 1))]
        for step in self._steps:
            batches = [made for batch in batches for made in step.on_batch(batch, 0)]
        parts = [batch.relations[MAIN] for batch in batches]
        return StackedRows(parts) if parts else rows.take(np.zeros(0, np.int64))

    def _made_index(self, rows: Rows) -> _Index:
        count = len(rows)
        numbers = np.arange(1, count + 1)
        values = Evaluation(Batch({self._plan.right_key: rows}, np.zeros(count, np.int64), numbers))
        try:
            columns = [values.column(key) for key in self._own_keys]
        except RunError as error:
            if error.event is None:
                raise
            # a row is no event: the message must say where it is
            where = f"row {error.event:,} of the reference data {self._plan.reference}"
            text = f"{error.message}, in {where}"
            raise type(error)(text, error.span, error.hint) from None
        keys = KeyTable(len(columns), bits_are_numbers=True)
        codes = keys.codes(columns, count, nulls=False)
        known = np.flatnonzero(codes >= 0)
        order = known[argsort_codes(codes[known])]
        ends = np.cumsum(np.bincount(codes[known], minlength=keys.count))
        starts = np.append(0, ends)
        return _Index(rows, keys, order, Ranges(starts, np.append(ends, starts[-1])))

    # -- pairs ------------------------------------------------------------------------------

    def _single(self, batch: Batch, found: _Candidates) -> Iterator[Batch]:
        """Yield the joined rows where no event has more than one: nothing needs to be repeated."""
        known = found.ranges.lengths == 1
        if not self._plan.outer and not known.all():
            batch = batch.filter(known)
            places = found.ranges.starts[known]
            known = np.ones(batch.count, bool)
        else:
            places = np.where(known, found.ranges.starts, 0)
        if batch.count:
            rights = found.order[places] if len(found.order) else places
            own = GappedRows(found.rows, rights, known)
            yield batch.with_rows(self._plan.right_key, own)

    def _matches(self, batch: Batch, found: _Candidates) -> Iterator[Pairs]:
        """Yield pairs of event and reference row, -1 for none, in the order of the events."""
        cached = {k: StackedRows([rows]) for k, rows in batch.relations.items()}
        source = Batch(cached, batch.times, batch.events)
        lengths = found.ranges.lengths
        sums = np.cumsum(lengths)
        first = 0
        while first < batch.count:
            done = sums[first - 1] if first else 0
            last = max(int(np.searchsorted(sums, done + _PAIRS, "right")), first + 1)
            pairs = [
                self._true(source, found.rows, first + owners, found.order[places])
                for places, owners in _pieces(found.ranges, first, last)
            ]
            lefts = np.concatenate([p[0] for p in pairs])
            rights = np.concatenate([p[1] for p in pairs])
            if self._plan.outer:
                alone = np.ones(last - first, bool)
                alone[lefts - first] = False
                single = np.flatnonzero(alone) + first
                lefts = np.append(lefts, single)
                order = np.argsort(lefts, kind="stable")
                lefts = lefts[order]
                rights = np.append(rights, np.full(len(single), -1))[order]
            yield lefts, rights
            first = last

    def _true(self, batch: Batch, rows: Rows, lefts: Ints, rights: Ints) -> Pairs:
        """Return the pairs for which the condition is true."""
        condition: Expr | None = self._plan.condition
        if condition is None or len(lefts) == 0:
            return lefts, rights
        true = Evaluation(self._beside(batch, rows, lefts, rights)).truth(condition)
        return lefts[true], rights[true]

    def _beside(self, batch: Batch, rows: Rows, lefts: Ints, rights: Ints) -> Batch:
        known = rights >= 0
        own: Rows = (
            GappedRows(rows, np.maximum(rights, 0), known) if known.any() else missing(len(rights))
        )
        return batch.take(lefts).with_rows(self._plan.right_key, own)

    def _joined(self, batch: Batch, rows: Rows, pairs: list[Pairs]) -> Batch:
        lefts = np.concatenate([p[0] for p in pairs])
        rights = np.concatenate([p[1] for p in pairs])
        return self._beside(batch, rows, lefts, rights)


def _pieces(ranges: Ranges, first: int, last: int) -> Iterator[Pairs]:
    """Yield (places, owners) of the ranges; of a single long one as several pieces."""
    some = ranges.take(np.arange(first, last))
    if last - first > 1 or int(some.lengths[0]) <= _PAIRS:
        yield some.flat()
        return
    for start in range(int(some.starts[0]), int(some.ends[0]), _PAIRS):
        places = np.arange(start, min(start + _PAIRS, int(some.ends[0])))
        yield places, np.zeros(len(places), np.int64)
