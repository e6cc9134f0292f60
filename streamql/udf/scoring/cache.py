"""Answers kept for identical rows: a scorer in front of another one.

A row is its JSON text. Only what the model answered is kept, never what `on_error` decided. Rows
that are the same within one submit are sent once, with or without a kept answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column, combine, nulls
from ...errors import FunctionError
from .forwarding import ForwardingScorer
from .options import CacheSize
from .scorer import Scorer
from .stats import ScoringStats
from .ticket import Letter, Ticket


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Answers that came together, and until when they may be used."""

    keys: list[str]
    answers: Column
    until: float | None


Kept = tuple[_Piece, int]


class AnswerCache:
    """The last answers by the text of their row; the oldest go first. Used from any thread."""

    def __init__(self, size: CacheSize, now: Callable[[], float]) -> None:
        self._size = size
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, Kept] = {}
        self._pieces: deque[_Piece] = deque()
        self._count = 0

    def find(self, keys: list[str]) -> list[Kept | None]:
        """Return where the answers to these rows are; None for a row without one."""
        now = self._now()
        with self._lock:
            found = [self._known.get(key) for key in keys]
        return [
            None if kept is None or (kept[0].until is not None and kept[0].until <= now) else kept
            for kept in found
        ]

    def put(self, keys: list[str], answers: Column) -> None:
        """Keep answers, at most as many as fit."""
        fitting = min(len(keys), self._size.rows)
        if not fitting:
            return
        seconds = self._size.seconds
        until = None if seconds is None else self._now() + seconds
        piece = _Piece(keys[:fitting], answers.slice(0, fitting), until)
        with self._lock:
            self._pieces.append(piece)
            self._count += fitting
            self._known.update((key, (piece, at)) for at, key in enumerate(piece.keys))
            while self._count > self._size.rows:
                oldest = self._pieces.popleft()
                self._count -= len(oldest.keys)
                for key in oldest.keys:
                    if self._known[key][0] is oldest:
                        del self._known[key]


@dataclass(frozen=True, slots=True)
class _Request:
    """What becomes of submitted rows: each is a code of a distinct row.

    Attributes:
        codes: of each row.
        keys: the text of each code.
        kept: its kept answer.
        missing: the codes that are asked for, in the order of their first rows.
        first: the first row of each code.
        events: of each row.
    """

    codes: NDArray[np.int64]
    keys: list[str]
    kept: list[Kept | None]
    missing: NDArray[np.int64]
    first: NDArray[np.int64]
    events: NDArray[np.int64]


class CachingScorer(ForwardingScorer):
    """Asks the scorer behind it only for rows whose answer is not kept.

    Dead letters go to `bury`, one for every row; the scorer behind it buries none.
    """

    def __init__(
        self,
        inner: Scorer,
        cache: AnswerCache,
        stats: ScoringStats,
        bury: Callable[[Letter], None] | None,
    ) -> None:
        super().__init__(inner)
        self._cache = cache
        self._own = stats
        self._bury = bury

    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        distinct = rows.cast(pa.string()).fill_null("null").dictionary_encode()
        codes = np.asarray(distinct.indices.to_numpy(zero_copy_only=False), np.int64)
        keys = distinct.dictionary.to_pylist()
        kept = self._cache.find(keys)
        missing = np.flatnonzero([place is None for place in kept])
        first = np.unique(codes, return_index=True)[1]
        request = _Request(codes, keys, kept, missing, first, events)
        self._own.cached_events += len(codes) - len(missing)
        asked = distinct.dictionary.take(pa.array(missing, pa.int64()))
        ticket = self._inner.submit(asked, events[first[missing]])
        return _CachedTicket(request, ticket, self._finish)

    def _finish(self, request: _Request, ticket: Ticket) -> tuple[Column, NDArray[np.bool_] | None]:
        """Return the answers to all rows, and which of them leave the stream."""
        try:
            answers = ticket.result()
        except FunctionError as error:
            if error.row is None:
                raise
            row = int(request.first[request.missing[error.row]])
            raise FunctionError(
                error.message, hint=error.hint, row=row, event=error.event
            ) from None
        self._keep(request, ticket, answers)
        self._own.rejected_events += self._again(request, ticket.decided)
        self._letters(request, ticket)
        parts = [(request.missing, answers)] if len(request.missing) else []
        pieces: dict[int, tuple[_Piece, list[int], list[int]]] = {}
        for code, place in enumerate(request.kept):
            if place is not None:
                _, codes, rows = pieces.setdefault(id(place[0]), (place[0], [], []))
                codes.append(code)
                rows.append(place[1])
        parts += [
            (np.array(codes), piece.answers.take(np.array(rows)))
            for piece, codes, rows in pieces.values()
        ]
        if not parts:
            return nulls(0), None
        column = combine(len(request.keys), [(codes, part) for codes, part in parts])
        skipped = None
        if ticket.skipped is not None:
            of_code = np.zeros(len(request.keys), bool)
            of_code[request.missing] = ticket.skipped
            skipped = of_code[request.codes]
        return column.take(request.codes), skipped

    def _keep(self, request: _Request, ticket: Ticket, answers: Column) -> None:
        codes = request.missing
        if ticket.decided is not None:
            good = ~ticket.decided
            codes, answers = codes[good], answers.take(np.flatnonzero(good))
        self._cache.put([request.keys[code] for code in codes], answers)

    def _again(self, request: _Request, decided: NDArray[np.bool_] | None) -> int:
        """Return how many rows are the same as one that `on_error` decided about."""
        if decided is None:
            return 0
        bad = np.isin(request.codes, request.missing[decided])
        return int(bad.sum() - decided.sum())

    def _letters(self, request: _Request, ticket: Ticket) -> None:
        """Bury a letter for every row: the scorer behind wrote one for rows that are the same."""
        if self._bury is None or not ticket.letters:
            return
        of_code = {int(request.missing[row]): letter for row, letter in ticket.letters}
        for row in np.flatnonzero(np.isin(request.codes, list(of_code))):
            letter = of_code[int(request.codes[row])]
            self._bury(letter | {"event": int(request.events[row])})


class _CachedTicket(Ticket):
    """A ticket for rows of which only some are asked for."""

    def __init__(
        self,
        request: _Request,
        inner: Ticket,
        finish: Callable[[_Request, Ticket], tuple[Column, NDArray[np.bool_] | None]],
    ) -> None:
        super().__init__(inner.first, len(request.codes), lambda *_: None)
        self._request = request
        self._inner = inner
        self._finish = finish
        self._all: Column | None = None

    @property
    def done(self) -> bool:
        return self._inner.done

    def result(self) -> Column:
        if self._all is None:
            self._all, self.skipped = self._finish(self._request, self._inner)
        return self._all
