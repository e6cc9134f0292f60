"""Self-tuning against simulated servers: events in the order of a simulated clock, no waiting."""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import timeless

from streamql.network.retry import Retry
from streamql.udf.scoring import ScoringSettings
from streamql.udf.scoring.batch import Batch, Part, Texts
from streamql.udf.scoring.exchange import Exchange
from streamql.udf.scoring.failure import Clock, Failure
from streamql.udf.scoring.stats import ScoringStats
from streamql.udf.scoring.transport import Answer, Transport
from streamql.udf.scoring.tuner import Limits, Tuner
from streamql.udf.scoring.watch import Watch

KNEE = ((0, 0.2), (1_000, 0.2), (5_000, 0.25), (10_000, 0.3), (25_000, 0.5), (50_000, 0.83))
REFUSED_AFTER, BACK_AFTER = 0.005, 0.1


class LoopClock(Clock):
    """The time of the running loop; every pause is as long as it can be."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def random(self) -> float:
        return 1.0


def always(rows: int, working: int) -> float:
    return 0.2


def knee(rows: int, working: int) -> float:
    """Return the latency of the server with a knee; beyond the last point in proportion."""
    for (low, shorter), (high, longer) in pairwise(KNEE):
        if rows <= high:
            return shorter + (longer - shorter) * (rows - low) / (high - low)
    return KNEE[-1][1] * rows / KNEE[-1][0]


@dataclass
class Simulation:
    """A server, and a client that always has rows; `serve` gives a request's latency or refusal.

    Attributes:
        now: seconds since the start.
        rows: (time, rows) of each answer.
        refusals: times.
    """

    serve: Callable[[int, int], float | str]
    tuner: Tuner | None = None
    noise: float = 0.02
    now: float = 0.0
    rows: list[tuple[float, int]] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    supply: float = float("inf")

    def run(self, seconds: float, batch: int = 0, parallel: int = 0) -> None:
        """Run until a time; fixed settings where there is no tuner."""
        chance = random.Random(7)
        tuner = self.tuner
        events: list[tuple[float, int, int, int, float, str]] = []
        flying = working = sent = taken = 0
        while self.now < seconds:
            size, most = (tuner.batch, tuner.parallel) if tuner else (batch, parallel)
            while flying < most:
                if taken + size > self.supply * self.now:
                    if tuner:
                        tuner.starved()
                    break
                taken += size
                flying += 1
                working += 1
                found = self.serve(size, working)
                label = found if isinstance(found, str) else ""
                took = REFUSED_AFTER if isinstance(found, str) else found
                took *= 1 + self.noise * chance.random()
                number = tuner.round if tuner else 0
                sent += 1
                heapq.heappush(events, (self.now + took, sent, size, number, took, label))
            if not events:
                self.now += 0.01
                continue
            self.now, _, size, number, took, label = heapq.heappop(events)
            if label == "back":
                flying -= 1
                continue
            working -= 1
            if label:
                self.refusals.append(self.now)
                taken -= size
                heapq.heappush(events, (self.now + BACK_AFTER, sent, size, number, 0, "back"))
                if tuner:
                    tuner.refused(number, label)
                continue
            flying -= 1
            self.rows.append((self.now, size))
            if tuner:
                tuner.answered(number, size, took, full=True)

    def rate(self, start: float, stop: float) -> float:
        """Return rows per second between two times."""
        return sum(n for time, n in self.rows if start <= time < stop) / (stop - start)


def tuned(
    serve: Callable[[int, int], float | str],
    batch: Limits,
    parallel: Limits,
    seconds: float,
    supply: float = float("inf"),
) -> Simulation:
    simulation = Simulation(serve, supply=supply)
    simulation.tuner = Tuner(batch, parallel, lambda: simulation.now)
    simulation.run(seconds)
    return simulation


def best_fixed(serve: Callable[[int, int], float | str], batches: Limits, parallel: int) -> float:
    """Return the rows per second of the best of many fixed settings."""
    found = 0.0
    size = 250
    while size <= batches.high:
        simulation = Simulation(serve)
        simulation.run(60, size, parallel)
        found = max(found, simulation.rate(20, 60))
        size = batches.high if size < batches.high < 2 * size else 2 * size
    return found


@pytest.mark.parametrize("high", [10_000, 25_000, 100_000])
@pytest.mark.parametrize("parallel", [Limits(20, 20), Limits(1, 20)])
def test_the_knee_is_found_within_a_minute(high: int, parallel: Limits) -> None:
    batch = Limits(1, high)
    simulation = tuned(knee, batch, parallel, 200)
    assert simulation.tuner is not None
    assert simulation.tuner.parallel == 20
    best = best_fixed(knee, batch, 20)
    assert simulation.rate(60, 200) >= 0.9 * best
    # it holds at every moment, not only in the mean
    assert min(simulation.rate(t, t + 20) for t in range(60, 180, 10)) >= 0.85 * best


def test_429_above_four_requests_settles_without_a_storm() -> None:
    def serve(rows: int, working: int) -> float | str:
        return "429" if working > 4 else 0.2

    simulation = tuned(serve, Limits(1_000, 1_000), Limits(1, 100), 600)
    assert simulation.tuner is not None
    assert simulation.tuner.parallel == 4
    assert len([t for t in simulation.refusals if t < 60]) <= 12
    # afterwards one refusal each time that more is tried, ever more seldom
    assert len([t for t in simulation.refusals if t >= 60]) <= 5
    assert simulation.rate(60, 600) >= 0.95 * 4 * 1000 / 0.2 / 1.01


@pytest.mark.parametrize("start", [1, 2, 3])
def test_a_server_that_takes_fewer_than_it_starts_with(start: int) -> None:
    def serve(rows: int, working: int) -> float | str:
        return "503" if working > start else knee(rows, working)

    simulation = tuned(serve, Limits(1, 10_000), Limits(1, 100), 120)
    assert simulation.tuner is not None
    assert (simulation.tuner.batch, simulation.tuner.parallel) == (10_000, start)
    assert len([t for t in simulation.refusals if t > 60]) <= 3


def test_latency_that_grows_with_the_requests_ends_the_growth() -> None:
    """Eight workers: more than eight requests at a time only wait for each other."""

    def serve(rows: int, working: int) -> float:
        return 0.1 * max(1.0, working / 8)

    simulation = tuned(serve, Limits(100, 100), Limits(1, 100), 120)
    assert simulation.tuner is not None
    assert 8 <= simulation.tuner.parallel <= 13
    assert simulation.rate(60, 120) >= 0.9 * 8 * 100 / 0.1


def test_that_stays_so_when_the_batch_is_tuned_as_well() -> None:
    def serve(rows: int, working: int) -> float:
        return (0.02 + rows * 0.000_1) * max(1.0, working / 8)

    simulation = tuned(serve, Limits(1, 10_000), Limits(1, 100), 1_200)
    assert simulation.tuner is not None
    assert 8 <= simulation.tuner.parallel <= 16
    assert simulation.rate(60, 1_200) >= 0.85 * 8 / 0.000_1


def test_a_model_without_overhead_per_request_gets_small_batches() -> None:
    def serve(rows: int, working: int) -> float:
        return 0.002 + rows * 0.000_1

    simulation = tuned(serve, Limits(1, 100_000), Limits(1, 1), 60)
    assert simulation.tuner is not None
    assert simulation.tuner.batch < 1000
    assert simulation.rate(40, 60) >= 0.9 * 1000 / 0.1


def test_a_refused_size_is_not_tried_again() -> None:
    def serve(rows: int, working: int) -> float | str:
        return "413" if rows > 3_000 else 0.2

    simulation = tuned(serve, Limits(1, 100_000), Limits(5, 5), 300)
    assert simulation.tuner is not None
    assert simulation.tuner.batch == 2_000
    assert len(simulation.refusals) <= 5


def test_a_server_that_gets_more_room_is_used_and_one_that_loses_it_is_spared() -> None:
    simulation = Simulation(always)

    def serve(rows: int, working: int) -> float | str:
        room = 4 if simulation.now < 100 or simulation.now >= 500 else 12
        return "429" if working > room else 0.2

    simulation.serve = serve
    simulation.tuner = Tuner(Limits(100, 100), Limits(1, 100), lambda: simulation.now)
    simulation.run(400)
    assert simulation.tuner.parallel == 12
    simulation.run(700)
    assert simulation.tuner.parallel == 4
    assert len([t for t in simulation.refusals if 500 <= t < 560]) <= 30


def test_a_server_that_becomes_slower_by_itself_keeps_its_requests() -> None:
    simulation = Simulation(always)

    def serve(rows: int, working: int) -> float:
        return 0.2 if simulation.now < 60 else 0.9

    simulation.serve = serve
    simulation.tuner = Tuner(Limits(100, 100), Limits(1, 16), lambda: simulation.now)
    simulation.run(180)
    assert simulation.tuner.parallel == 16


def test_a_source_that_limits_changes_nothing() -> None:
    """10,000 rows a second, of which one connection could carry more than half."""
    simulation = tuned(knee, Limits(1, 100_000), Limits(1, 100), 120, 10_000)
    assert simulation.tuner is not None
    assert simulation.tuner.batch == 1_000
    assert simulation.tuner.parallel == 4


def test_requests_that_are_sent_again_keep_to_fewer_requests() -> None:
    """What was refused waits until there is room: it does not come beside what took its place."""

    class Refusing(Transport):
        target = "the model"
        working = most = refused = 0

        async def send(self, body: bytes, timeout: float) -> Answer:
            self.working += 1
            self.most = max(self.most, self.working)
            try:
                if self.working > 4:
                    self.refused += 1
                    await asyncio.sleep(REFUSED_AFTER)
                    raise Failure("answered 429", Retry.LIMITED, label="429")
                await asyncio.sleep(0.2)
            finally:
                self.working -= 1
            return Answer(value=json.loads(body)["data"])

    async def work() -> tuple[Refusing, Tuner]:
        loop = asyncio.get_running_loop()
        transport = Refusing()
        tuner = Tuner(Limits(10, 10), Limits(1, 100), loop.time)
        clock = LoopClock()
        watch = Watch("score", "the model", True, lambda _: None, clock)
        settings = ScoringSettings.from_strings({"max_batch_count": "10"})
        exchange = Exchange("score", transport, settings, ScoringStats(), watch, clock, None, tuner)
        texts = Texts(pa.array(["1"] * 10))
        batch = Batch([Part(None, texts, np.arange(10), 0, 10)])
        tasks: set[asyncio.Task[Any]] = set()
        while loop.time() < 120:
            while len(tasks) < tuner.parallel:
                tasks.add(asyncio.create_task(exchange.score(batch)))
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*tasks)
        return transport, tuner

    (transport, tuner), _ = timeless.run(work())
    assert tuner.parallel == 4
    # eight at a time once, and one more now and then; what is refused comes back when there is room
    assert transport.most <= 8
    assert transport.refused <= 20
