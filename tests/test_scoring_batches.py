"""Results never depend on how rows were batched: random cuts, random bad rows, a model in memory."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scoring_model import FastClock, finish, put

from streamql.errors import FunctionError
from streamql.network.retry import Retry
from streamql.udf.scoring import Scorer, ScoringLoop, ScoringSettings, ScoringStats
from streamql.udf.scoring.cache import AnswerCache, CachingScorer
from streamql.udf.scoring.exchange import Exchange
from streamql.udf.scoring.failure import Failure, of_status
from streamql.udf.scoring.http_scorer import HttpScorer
from streamql.udf.scoring.transport import Answer, Transport
from streamql.udf.scoring.tuner import Tuner
from streamql.udf.scoring.watch import Watch

BAD = {
    -1: "400",
    -2: "422",
    -3: "413",
    -4: "the model's 400",
    -5: "a wrong length",
    -6: "a text",
    -7: "NaN",
    -8: "infinity in a list",
}


class MemoryTransport(Transport):
    """A model: rows below 0 are bad in ways of their own; now and then it is busy."""

    def __init__(self, chance: random.Random, busy: float) -> None:
        self.target = "memory"
        self._chance = chance
        self._busy = busy

    def warm(self) -> None:
        pass

    async def send(self, body: bytes, timeout: float) -> Answer:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)
        draw = self._chance.random()
        if draw < self._busy:
            raise of_status(503, {}, "busy", 0.0)
        if draw < 1.5 * self._busy:
            raise Failure("broke", Retry.UNLIMITED, label="connection")
        rows = json.loads(body)["data"]
        for status, found in ((400, -1), (422, -2), (413, -3)):
            if found in rows:
                raise of_status(status, {}, f"found {found}", 0.0)
        if -4 in rows:
            raise of_status(424, {"ms-azureml-model-error-statuscode": "400"}, "", 0.0)
        if -5 in rows:
            return Answer(json.dumps([0] * (len(rows) + 1)).encode())
        if -6 in rows:
            return Answer(b'"Error!"')
        return Answer(json.dumps([result(row) for row in rows]).encode())


def result(row: int) -> Any:
    """Return the model's result: of several types, NaN for some."""
    if row in (-7, -8):
        return math.nan if row == -7 else [math.inf]
    return [row / 2, row, str(row), None, {"v": row}][row % 5]


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


class Setup:
    """A scorer in front of the model, and the dead letters it wrote."""

    def __init__(self, loop: ScoringLoop, seed: int, busy: float, given: dict[str, str]) -> None:
        settings = ScoringSettings.from_strings(given)
        clock, stats = FastClock(), ScoringStats()
        transport = MemoryTransport(random.Random(seed), busy)
        watch = Watch("score", "memory", True, lambda _: None, clock)
        tuner = Tuner(settings.batch_limits, settings.parallel_limits, clock.now)
        exchange = Exchange("score", transport, settings, stats, watch, clock, None, tuner)
        self.letters: list[dict[str, Any]] = []
        bury = self.letters.append
        self.cached = ScoringStats()
        self.scorer: Scorer
        if settings.cache is None:
            self.scorer = HttpScorer(settings, transport, exchange, stats, loop, bury, tuner)  # type: ignore[arg-type]
        else:
            inner = HttpScorer(settings, transport, exchange, stats, loop, None, tuner)  # type: ignore[arg-type]
            cache = AnswerCache(settings.cache, clock.now)
            self.scorer = CachingScorer(inner, cache, self.cached, bury)

    def rejected(self) -> int:
        return self.scorer.stats.rejected_events + self.cached.rejected_events


def expected(values: list[int], on_error: str) -> list[Any]:
    fill = -9 if on_error.startswith("default") else None
    return [fill if value in BAD else result(value) for value in values]


def typed(values: list[Any]) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in values]


@hypothesis_settings(max_examples=150)
@for_all(
    values=st.lists(st.integers(-8, 8), max_size=60),
    cuts=st.lists(st.integers(1, 15), min_size=1, max_size=6),
    count=st.sampled_from(["1", "2", "3", "7", "100", "auto:1-9"]),
    size=st.sampled_from(["12", "40", "4MB"]),
    parallel=st.sampled_from(["1", "3", "auto:1-4"]),
    on_error=st.sampled_from(["null", "default: -9", "skip", "dead_letter"]),
    cache=st.sampled_from(["off", "off", "3", "100, 1h"]),
    busy=st.sampled_from([0.0, 0.2]),
    flushes=st.booleans(),
    eager=st.booleans(),
    seed=st.integers(0, 99),
)
def test_cuts_do_not_matter(
    loop: ScoringLoop,
    values: list[int],
    cuts: list[int],
    count: str,
    size: str,
    parallel: str,
    on_error: str,
    cache: str,
    busy: float,
    flushes: bool,
    eager: bool,
    seed: int,
) -> None:
    given = {"max_batch_count": count, "parallel_requests": parallel, "on_error": on_error}
    setup = Setup(loop, seed, busy, given | {"cache": cache, "max_batch_bytes": size})
    scorer = setup.scorer
    tickets: list[Any] = []
    start = 0
    while start < len(values):
        cut = cuts[len(tickets) % len(cuts)]
        tickets.append(put(scorer, values[start : start + cut], start + 1))
        start += cut
        if flushes or eager:
            scorer.flush()
        if eager:  # so that later rows meet kept answers
            finish(scorer, tickets[-1])
    scorer.flush(final=True)
    got: list[Any] = []
    dropped: list[bool] = []
    for ticket in tickets:
        found = finish(scorer, ticket).to_pylist()
        got += found
        skipped = ticket.skipped
        dropped += [False] * len(found) if skipped is None else skipped.tolist()
    scorer.close()
    assert typed(got) == typed(expected(values, on_error))
    bad = [value in BAD for value in values]
    assert dropped == (bad if on_error in ("skip", "dead_letter") else [False] * len(values))
    assert setup.rejected() == sum(bad)
    rows = [(at + 1, value) for at, value in enumerate(values) if value in BAD]
    letters = [(letter["event"], letter["row"]) for letter in setup.letters]
    assert letters == (rows if on_error == "dead_letter" else [])


@hypothesis_settings(max_examples=100)
@for_all(
    values=st.lists(st.integers(-8, 30), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 15), min_size=1, max_size=6),
    count=st.sampled_from(["1", "2", "7", "100"]),
    cache=st.sampled_from(["off", "5"]),
    seed=st.integers(0, 99),
)
def test_the_first_bad_row_is_the_one_that_stops_the_job(
    loop: ScoringLoop, values: list[int], cuts: list[int], count: str, cache: str, seed: int
) -> None:
    given = {"max_batch_count": count, "parallel_requests": "3", "cache": cache}
    # with retries, a row before it whose request waits for one may be given up unanswered
    setup = Setup(loop, seed, 0.0, given)
    scorer = setup.scorer
    tickets: list[Any] = []
    starts, start = list[int](), 0
    while start < len(values):
        cut = cuts[len(tickets) % len(cuts)]
        tickets.append(put(scorer, values[start : start + cut], start + 1))
        starts.append(start)
        start += cut
    scorer.flush(final=True)
    first = next((at for at, value in enumerate(values) if value in BAD), None)
    for ticket, start in zip(tickets, starts, strict=True):
        if first is None or start + ticket.count <= first:
            column = finish(scorer, ticket).to_pylist()
            assert column == [result(v) for v in values[start : start + ticket.count]]
            continue
        with pytest.raises(FunctionError) as caught:
            finish(scorer, ticket)
        assert f"row {values[first]}" in caught.value.message
        if start <= first < start + ticket.count:
            assert (caught.value.row, caught.value.event) == (first - start, first + 1)
        break
    scorer.close()
