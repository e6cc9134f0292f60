"""`streamql model profile`: the knee of simulated servers, on a loop that does not wait."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import timeless
from test_scoring_tuner import knee as latency

from streamql.network.retry import Retry
from streamql.udf.scoring.failure import Failure
from streamql.udf.scoring.knee import advice, knee, soonest
from streamql.udf.scoring.profiler import (
    FEW,
    MANY,
    Bounds,
    NothingAnswered,
    Point,
    Profile,
    Profiler,
    sizes,
    steady,
)

Serve = Callable[[int, int], float | Failure]


def refusal(status: int, wait: float | None = None) -> Failure:
    """What a status means: 413 for good, 429 and 503 for a while."""
    retry = {413: Retry.NEVER, 400: Retry.NEVER, 503: Retry.UNLIMITED}.get(status, Retry.LIMITED)
    return Failure(f"answered {status}", retry, label=str(status), status=status, wait=wait)


@dataclass
class Server:
    """Answers after seconds of its loop, or refuses; counts what it was sent."""

    serve: Serve
    working: int = 0
    sent: list[tuple[float, int]] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)

    async def send(self, rows: int) -> None:
        loop = asyncio.get_running_loop()
        self.sent.append((loop.time(), rows))
        self.working += 1
        try:
            found = self.serve(rows, self.working)
            if isinstance(found, Failure):
                self.refused.append((loop.time(), rows))
                await asyncio.sleep(0.001)
                raise found
            await asyncio.sleep(found)
        finally:
            self.working -= 1

    def profile(self, **bounds: float) -> tuple[Profile, float]:
        limits = Bounds(**bounds)  # type: ignore[arg-type]
        return timeless.run(Profiler(self.send, limits, self.points.append).run(knee))


@pytest.mark.parametrize(
    ("most", "rows"), [(10_000, 10_000), (20_000, 20_000), (25_000, 20_000), (50_000, 50_000)]
)
def test_the_knee_of_the_batch(most: int, rows: int) -> None:
    profile, took = Server(lambda n, working: latency(n, working)).profile(batch=most)
    assert [p.batch for p in profile.sizes] == list(sizes(most))
    best = max(p.rate for p in profile.sizes)
    found = knee(profile.sizes)
    assert found is not None
    assert found.batch == rows
    assert found.rate >= 0.9 * best
    assert all(p.rate < 0.9 * best for p in profile.sizes if p.batch < rows)
    assert found.rate == pytest.approx(rows / latency(rows, 1), rel=0.01)
    # beyond 10,000 rows the latency of this server grows faster than its rows per second
    early = soonest(profile.sizes)
    assert early is not None
    assert early.batch == 10_000
    assert took <= 60


def test_the_knee_of_requests_at_a_time() -> None:
    """Eight workers: more requests wait for each other."""
    server = Server(lambda n, working: latency(n, working) * max(1.0, working / 8))
    profile, took = server.profile(batch=10_000)
    assert [p.parallel for p in profile.numbers] == [1, 2, 4, 8, 16]
    assert "no more rows per second" in profile.number_end
    found = advice(profile)
    assert found is not None
    assert (found.at.batch, found.at.parallel) == (10_000, 8)
    assert found.expected(1) == pytest.approx(10_000 * 8 / 0.3, rel=0.01)
    assert found.expected(3) == pytest.approx(3 * found.expected(1))
    assert found.at.rate == pytest.approx(found.expected(1), rel=0.05)
    assert took <= 60


def test_a_server_that_refuses_more_than_four_at_a_time_is_not_hammered() -> None:
    server = Server(lambda _, working: refusal(429) if working > 4 else 0.2)
    profile, _ = server.profile(batch=500)
    assert [p.parallel for p in profile.numbers] == [1, 2, 4, 8]
    assert profile.most_parallel == 4
    assert profile.number_end == "8 at a time: answered 429"
    assert len(server.refused) == 4  # those beside the four that were taken, and none again
    last = profile.numbers[-1]
    assert not last.good
    assert last.failures == {"429": 4}
    found = advice(profile)
    assert found is not None
    assert (found.at.batch, found.at.parallel) == (500, 4)


@pytest.mark.parametrize("status", [400, 413])
def test_a_batch_that_is_refused_is_the_last(status: int) -> None:
    server = Server(lambda n, _: refusal(status) if n > 3_000 else 0.2)
    profile, _ = server.profile()
    assert [p.batch for p in profile.sizes] == [50, 100, 200, 500, 1000, 2000, 5000]
    assert len(server.refused) == 1
    assert profile.size_end == f"5,000 rows: answered {status}"
    found = advice(profile)
    assert found is not None
    assert found.at.batch == 2_000


@pytest.mark.parametrize(("wait", "pause"), [(7.0, 7.0), (None, 1.0), (900.0, 30.0)])
def test_a_server_that_is_busy_is_given_time(wait: float | None, pause: float) -> None:
    server = Server(lambda n, _: refusal(429, wait) if n >= 200 else 0.01)
    profile, took = server.profile(seconds=3_000)
    times = [time for time, _ in server.refused]
    assert len(times) == 3
    assert [b - a for a, b in pairwise(times)] == pytest.approx([pause] * 2, abs=0.01)
    assert profile.sizes[-1].failures == {"429": 3}
    assert [p.batch for p in profile.sizes] == [50, 100, 200]
    assert took <= 3_000


@pytest.mark.parametrize(("status", "sent"), [(503, 3), (400, 1)])
def test_a_server_that_answers_nothing(status: int, sent: int) -> None:
    server = Server(lambda _, __: refusal(status))
    with pytest.raises(NothingAnswered) as caught:
        server.profile()
    assert caught.value.failure.status == status
    assert len(server.sent) == sent


@pytest.mark.parametrize("seconds", [2.0, 9.0, 25.0, 1000.0])
def test_it_ends_in_time_however_slow_the_model(seconds: float) -> None:
    server = Server(lambda n, _: seconds if server.points or n > 50 else 0.5)
    profile, took = server.profile(seconds=60)
    assert took <= 61
    assert profile.sizes[0].good
    found = advice(profile)
    assert found is not None
    assert "time" in profile.size_end + profile.number_end


def test_medians_are_repeated_until_they_are_known() -> None:
    chance = random.Random(5)
    calm = Server(lambda _, __: 0.1)
    calm.profile(batch=100, parallel=1)
    assert [len(p.latencies) for p in calm.points] == [FEW, FEW]
    wild = Server(lambda _, __: 0.001 * 10 ** (2 * chance.random()))
    wild.profile(batch=100, parallel=1)
    assert [len(p.latencies) for p in wild.points] == [MANY, MANY]
    assert not steady([1, 2, 3, 4, 5])
    assert steady([1.0] * 5)


def test_more_that_brings_nothing_is_the_end() -> None:
    server = Server(lambda n, _: n * 0.001)
    profile, _ = server.profile()
    assert [p.batch for p in profile.sizes] == [50, 100, 200]
    assert profile.size_end == "larger batches bring no more rows per second"
    found = advice(profile)
    assert found is not None
    assert found.at.batch == 50


def test_rows_that_do_not_fit_into_a_request_are_not_tried() -> None:
    profile, _ = Server(lambda _, __: 0.2).profile(fitting=1_234)
    assert [p.batch for p in profile.sizes][-2:] == [1_000, 1_234]
    assert profile.size_end == "no more than 1,234 rows fit into a request"


def test_percentiles() -> None:
    point = Point(10, 1, tuple(float(n) for n in range(1, 101)))
    assert (point.median, point.p95) == (50.5, 95)
    assert Point(10, 1, (3.0,)).p95 == 3


def test_a_busy_client_is_told() -> None:
    idle = Point(10, 1, (0.1,) * 5, busy=0.5)
    busy = Point(20, 1, (0.1,) * 5, busy=0.5, cpu=0.97)
    for points, told in (([idle], False), ([idle, busy], True)):
        found = advice(Profile(points))
        assert found is not None
        assert found.client_bound is told
        assert not advice(Profile(points), here=True).client_bound  # type: ignore[union-attr]
    assert advice(Profile()) is None
