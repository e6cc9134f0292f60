"""Rate limit, circuit breaker, cache, order and self-tuning in front of a server."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from adversary import Adversary, Reply, Request, double
from scoring_model import Model, bad_rows, finish, opened, put

from streamql import Engine
from streamql.errors import FunctionError
from streamql.udf.scoring import ScoringLoop
from streamql.udf.scoring.door import Breaker, RateLimit
from streamql.udf.scoring.failure import Clock
from streamql.udf.scoring.options import Rate


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


# -- the door -----------------------------------------------------------------------------------


def test_a_rate_limit_spreads_requests() -> None:
    requests, rows = RateLimit(Rate(10, rows=False)), RateLimit(Rate(1_000, rows=True))
    assert [round(requests.reserve(5.0, 1_000), 9) for _ in range(4)] == [0, 0.1, 0.2, 0.3]
    assert requests.reserve(9.0, 1) == 0  # what was not used is not saved up
    assert round(requests.reserve(9.0, 1), 9) == 0.1
    assert [rows.reserve(5.0, n) for n in (500, 1_000, 1)] == [0, 0.5, 1.5]


def test_a_rate_limit_holds_requests_back(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, rate_limit="100 rows/s", max_batch_count="10")
        assert model.score(list(range(50))) == [2 * n for n in range(50)]
    assert len(model.clock.slept) == 4
    # on a clock that jumps each waits from the moment at which it is asked about
    assert all(0 < seconds <= 0.4 for seconds in model.clock.slept)


def test_a_rate_limit_beyond_the_total_timeout_is_on_errors_business(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(
            server, loop, rate_limit="1 requests/s", max_batch_count="1",
            parallel_requests="1", total_timeout="500ms", on_error="null",
        )  # fmt: skip
        assert model.score([1, 2]) == [2, None]
        failing = Model(
            server, loop, rate_limit="1 requests/s", max_batch_count="1",
            parallel_requests="1", total_timeout="500ms",
        )  # fmt: skip
        with pytest.raises(FunctionError, match="was not asked: the rate limit left no time"):
            failing.score([1, 2])


def test_the_breaker_opens_probes_and_closes() -> None:
    breaker = Breaker(0.5, pause=30)
    for good in [True] * 5 + [False] * 4:
        assert not breaker.ended(0.0, good, probe=False)
    assert breaker.wait(0.0) == 0
    assert breaker.ended(0.0, False, probe=False)
    assert (breaker.state, breaker.wait(1.0)) == ("open", 29)
    assert not breaker.ended(1.0, True, probe=False)  # an answer to an earlier request
    assert breaker.wait(30.0) == 0
    assert breaker.wait(30.0) == math.inf
    assert breaker.ended(31.0, False, probe=True)
    assert breaker.wait(32.0) == 29
    assert breaker.wait(61.0) == 0
    assert not breaker.ended(61.0, None, probe=True)  # given up: another one may probe
    assert breaker.wait(61.0) == 0
    assert not breaker.ended(62.0, True, probe=True)
    assert (breaker.state, breaker.wait(62.0)) == ("closed", 0)
    for _ in range(9):
        assert not breaker.ended(62.0, False, probe=False)


def test_the_breaker_spares_a_server_that_is_down(loop: ScoringLoop) -> None:
    together = []

    def behave(request: Request) -> Reply:
        if request.number > 45:
            return double(request)
        if request.number > 40:
            together.append(server.open)
        return Reply(b"", 503)

    with Adversary() as server:
        server.behave = behave
        model = Model(server, loop, breaker="60%", breaker_pause="40s", max_batch_count="5")
        assert model.score(list(range(100))) == [2 * n for n in range(100)]
        assert len(server.requests) == 45 + 20
    # what was under way when it opened has failed by then: there is one probe at a time
    assert together == [1] * 5
    assert model.stats.breaker_openings >= 5
    assert [w for w in model.warnings if "asked again after 40 s" in w]


def test_rows_that_are_refused_do_not_open_the_breaker(loop: ScoringLoop) -> None:
    with Adversary(bad_rows(400)) as server:
        model = Model(server, loop, breaker="10%", on_error="null", max_batch_count="1")
        assert model.score([-1] * 30 + [1]) == [None] * 30 + [2]
    assert model.stats.breaker_openings == 0


# -- the cache ----------------------------------------------------------------------------------


def rounds(model: Model, *given: list[int]) -> list[list[Any]]:
    """Score lists one after the other with one scorer."""
    found = []
    with opened(model.function) as scorer:
        for values in given:
            ticket = put(scorer, values)
            scorer.flush()
            found.append(finish(scorer, ticket).to_pylist())
    return found


def test_identical_rows_are_asked_once(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, cache="100")
        assert rounds(model, [1, 2, 1], [2, 3, 3, 1]) == [[2, 4, 2], [4, 6, 6, 2]]
        assert [request.rows for request in server.requests] == [[1, 2], [3]]
        # another partition knows what this one has asked
        assert rounds(model, [1, 2, 3]) == [[2, 4, 6]]
        assert len(server.requests) == 2
    assert (model.stats.events, model.stats.cached_events) == (3, 1 + 3 + 3)


def test_the_oldest_answers_leave_a_full_cache(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, cache="3")
        rounds(model, [1, 2], [3], [4], [3, 4], [1, 2, 5, 6, 7], [1, 2, 5, 6, 7])
        asked = [request.rows for request in server.requests]
    assert asked == [[1, 2], [3], [4], [1, 2, 5, 6, 7], [6, 7]]


def test_answers_grow_old(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, cache="100, 10s")
        with opened(model.function) as scorer:
            for ahead in (0, 5, 6):
                model.clock.ahead += ahead
                ticket = put(scorer, [1])
                scorer.flush()
                assert finish(scorer, ticket).to_pylist() == [2]
        assert len(server.requests) == 2


def test_what_on_error_decided_is_not_kept(loop: ScoringLoop) -> None:
    with Adversary(bad_rows(400)) as server:
        model = Model(server, loop, cache="100", on_error="dead_letter")
        with opened(model.function) as scorer:
            for first in (1, 11):
                ticket = put(scorer, [1, -1, 2, -1], first)
                scorer.flush()
                finish(scorer, ticket)
                assert ticket.skipped is not None
                assert ticket.skipped.tolist() == [False, True, False, True]
        assert [request.rows for request in server.requests][-1] == [-1]
    assert [letter["event"] for letter in model.letters] == [2, 4, 12, 14]
    assert model.stats.rejected_events == 4


# -- order --------------------------------------------------------------------------------------


SLOW = 3


def scored(query: str, **given: str) -> list[int]:
    """Run a query over 4 events in batches of one; the first ones are answered last."""

    def behave(request: Request) -> Reply:
        return Reply(request.rows, delay=0.3 if request.rows[0] < SLOW else 0.0)

    with Adversary(behave) as server:
        engine = Engine(batch_rows=1)
        engine.model("score", server.url, max_batch_count=1, **given)
        rows = [{"a": n, "t": f"2024-01-01T00:00:0{n}Z"} for n in range(1, 5)]
        engine.register("input", rows)
        return [row["s"] for row in engine.sql(query).fetchall()]


@pytest.mark.parametrize(
    ("query", "given", "kept"),
    [
        ("SELECT udf.score(a) AS s FROM input", {}, True),
        ("SELECT udf.score(a) AS s FROM input", {"ordered": "false"}, False),
        (
            "WITH x AS (SELECT udf.score(a) AS s FROM input) "
            "SELECT s, LAG(s) OVER (LIMIT DURATION(hour, 1)) AS l FROM x",
            {"ordered": "false"},
            True,
        ),
    ],
)
def test_rows_leave_in_order_where_the_order_matters(
    query: str, given: dict[str, str], kept: bool
) -> None:
    found = scored(query, **given)
    assert sorted(found) == [1, 2, 3, 4]
    assert (found == [1, 2, 3, 4]) is kept


# -- self-tuning --------------------------------------------------------------------------------


def test_a_server_that_refuses_is_asked_less(loop: ScoringLoop) -> None:
    """More than 3 at a time are refused; the settings settle and all rows are scored."""
    server = Adversary()

    def behave(request: Request) -> Reply:
        if server.open > 3:
            return Reply(b"", 429)
        return Reply(double(request).body, delay=0.004)

    server.behave = behave
    with server:
        model = Model(server, loop, parallel_requests="auto", max_batch_count="5")
        model.function._clock = Clock()  # one that waits: the server has to get its pauses
        values = list(range(2_000))
        assert model.score(values) == [2 * n for n in values]
        sizes = server.sizes
    assert model.stats.retries["429"] <= 20
    assert max(sizes) == 5


def test_batches_grow_in_front_of_a_server_with_overhead(loop: ScoringLoop) -> None:
    def behave(request: Request) -> Reply:
        return Reply(double(request).body, delay=0.01)

    with Adversary(behave) as server:
        model = Model(server, loop, parallel_requests="2", max_batch_count="auto:10-4000")
        with opened(model.function) as scorer:
            firsts = range(0, 100_000, 10_000)
            tickets = [put(scorer, list(range(at, at + 10_000))) for at in firsts]
            scorer.flush()
            for ticket in tickets:
                finish(scorer, ticket)
            assert max(server.sizes) >= 2_000


def test_a_job_ends_at_once_while_requests_wait_at_the_door(loop: ScoringLoop) -> None:
    with Adversary(lambda _: Reply([1], delay=30)) as server:
        model = Model(server, loop, max_batch_count="1")
        scorer = model.function.open()
        scorer.submit(*rows_of(25))
        scorer.flush()
        while len(server.requests) < 20:
            time.sleep(0.005)
        began = time.monotonic()
        scorer.close()
        assert time.monotonic() - began < 2


def rows_of(count: int) -> tuple[Any, Any]:
    return pa.array(["1"] * count), np.arange(count)
