"""Partitions: scorers side by side, the same rows; what a job says about its requests."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from adversary import Adversary, Reply, Request, double, last
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamql import Engine
from streamql.errors import RunError
from streamql.runtime.figures import of_models
from streamql.udf.scoring.stats import LATENCIES, ScoringStats, Spread

QUERY = "SELECT id, udf.score(x) AS y FROM input"


def scored(
    server: Adversary, rows: list[dict[str, Any]], cut: int = 10, **given: Any
) -> tuple[list[Any], Engine]:
    """Return the rows of a job whose batches are of `cut` rows."""
    settings = given.pop("settings", {})
    with Engine(**settings) as engine:
        engine.cut = iter([cut] * (len(rows) + 1))
        engine.register("input", rows)
        engine.model("score", server.url, protocol="azureml", **given)
        return engine.sql(QUERY).fetchall(), engine


def events(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "x": number * 3} for number in range(count)]


@hypothesis_settings(max_examples=40)
@given(st.integers(1, 7), st.integers(1, 40), st.integers(1, 9), st.sets(st.integers(0, 119)))
def test_rows_do_not_depend_on_the_partitions(
    partitions: int, cut: int, batch: int, bad: set[int]
) -> None:
    def some(request: Request) -> Reply:
        if any(last(row) // 3 in bad for row in request.rows):
            return Reply({"error": "bad row"}, 422)
        return double(request)

    with Adversary(some) as server:
        settings = {"partitions": partitions}
        found, _ = scored(
            server, events(120), cut, max_batch_count=batch, on_error="null", settings=settings
        )
    assert found == [{"id": n, "y": None if n in bad else 6 * n} for n in range(120)]


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_the_first_bad_row_stops_the_job_whichever_lane_it_is_in(partitions: int) -> None:
    def some(request: Request) -> Reply:
        bad = any(last(row) in (75, 150) for row in request.rows)
        return Reply("no", 422) if bad else double(request)

    with Adversary(some) as server, pytest.raises(RunError) as error:
        scored(server, events(90), 10, settings={"partitions": partitions})
    assert error.value.event == 26


def test_each_partition_has_its_own_parallel_requests() -> None:
    full = threading.Event()

    def patient(request: Request) -> Reply:
        if server.open == 6:
            full.set()
        return Reply(double(request).body, delay=0.0 if full.is_set() else 0.05)

    with Adversary(patient) as server:
        _, engine = scored(
            server,
            events(600),
            20,
            max_batch_count=5,
            parallel_requests=2,
            settings={"partitions": 3},
        )
        stats = engine._functions.stats()["score"]
    assert full.is_set()
    assert server.most_open == 6
    assert (stats.parallel, stats.batch, stats.max_in_flight) == (6, 5, 6)
    assert stats.request_rows.total == stats.events == 600


def test_the_summary_says_how_the_model_was_asked(tmp_path: Any) -> None:
    def sometimes(request: Request) -> Reply:
        return Reply("busy", 503) if request.number == 2 else double(request)

    source = tmp_path / "in.jsonl"
    source.write_text("".join(f'{{"id":{n},"x":{n}}}\n' for n in range(1000)))
    with Adversary(sometimes) as server, Engine() as engine:
        engine.model("score", server.url, protocol="azureml", max_batch_count=100)
        job = engine.job(QUERY, bind_input=str(source), default_output=str(tmp_path / "o.jsonl"))
        lines = job.run().sentences()
    assert lines[0].startswith("1,000 events, 1,000 rows to output, 11 requests, ")
    assert lines[1].startswith("udf.score: 11 requests of 100 rows, median ")
    assert lines[1].endswith(", 1 sent again (503: 1), 1 failed")


def test_a_second_job_tells_of_itself_alone() -> None:
    one, two = ScoringStats(), ScoringStats()
    for rows in (10, 20):
        one.sent(rows)
        one.ended(0.1, good=rows == 10)
    two.add(one)
    two.retries["503"] += 1
    two.sent(5)
    two.ended(0.2, good=True)
    new = two.since(one)
    assert (new.requests, new.failed_requests, new.request_rows.total) == (1, 0, 5)
    assert new.retries == {"503": 1}
    assert new.latency_sum == pytest.approx(0.2)


@given(st.lists(st.floats(0.0002, 500), min_size=1, max_size=300))
def test_a_median_is_right_to_within_a_bucket(values: list[float]) -> None:
    spread = Spread(LATENCIES)
    for value in values:
        spread.observe(value)
    wanted = sorted(values)[(len(values) - 1) // 2]
    assert wanted / 1.06 <= spread.at(0.5) <= wanted * 1.06
    halves = Spread(LATENCIES).plus(spread).plus(spread, -1)
    assert sum(halves.counts) == 0
    assert halves.total == 0


def test_metrics_show_the_same_counts_in_fewer_buckets() -> None:
    stats = ScoringStats(parallel=40, breaker="open")
    for rows, seconds in ((1, 0.0011), (700, 0.2), (1000, 1000.0)):
        stats.sent(rows)
        stats.ended(seconds, good=True)
    shown = {metric.name: metric for metric in of_models({"score": stats})}
    key = (("function", "score"),)
    latency: Any = shown["streamql_function_request_latency_seconds"].values[key]
    assert sum(latency.counts) == 3
    assert latency.counts[-1] == 1
    assert latency.bounds[latency.counts.index(1)] == 0.002
    assert shown["streamql_function_requests_in_flight_limit"].values[key] == 40
    assert shown["streamql_function_breaker_open"].values[key] == 1
