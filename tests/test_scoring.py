"""Scoring over HTTP: requests, answers, batches, order."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from adversary import Adversary, Reply, Request, double
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scoring_model import Model, finish, opened, put

from streamql.errors import FunctionError
from streamql.types import Type
from streamql.udf.scoring import (
    ScoringLoop,
)


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


# -- the request --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "rows", "body"),
    [
        (
            {},
            ['["1","Mon","12","1","5.8"]', '["2","Wed","10","2","10"]'],
            b'{"data":[["1","Mon","12","1","5.8"],["2","Wed","10","2","10"]]}',
        ),
        (
            {},
            ['{"vendorid":"1","weekday":"Mon"}', '{"vendorid":"2","weekday":"Wed"}'],
            b'{"data":[{"vendorid":"1","weekday":"Mon"},{"vendorid":"2","weekday":"Wed"}]}',
        ),
        ({}, ["1", None, '"a"'], b'{"data":[1,null,"a"]}'),
        ({"parameter": 'a"b'}, ["1"], b'{"a\\"b":[1]}'),
        ({}, ["9007199254740993", "1.0", '"\\u0000\xe9"'], None),
        (
            {"protocol": "azureml-designer"},
            ["[1]", "[2]"],
            b'{"Inputs":{"WebServiceInput0":[[1],[2]]}}',
        ),
        (
            {
                "protocol": "azureml-designer",
                "input_name": "in",
                "global_parameters": '{"a": [1, 2]}',
            },
            ["[1]"],
            b'{"Inputs":{"in":[[1]]},"GlobalParameters":{"a":[1,2]}}',
        ),
    ],
)
def test_bodies_are_exact(
    loop: ScoringLoop, given: dict[str, str], rows: list[Any], body: bytes | None
) -> None:
    answer: Any = [0] * len(rows)
    if given.get("protocol"):
        answer = {"Results": {"WebServiceOutput0": answer}}
    with Adversary(lambda _: Reply(answer)) as server:
        model = Model(server, loop, **given)
        with opened(model.function) as scorer:
            ticket = scorer.submit(pa.array(rows, pa.string()), np.arange(len(rows)))
            scorer.flush()
            finish(scorer, ticket)
        wanted = body or b'{"data":[' + ",".join(rows).encode() + b"]}"
        assert server.requests[0].body == wanted
        assert server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "found", "kind"),
    [
        ([1, 2], [1, 2], Type.BIGINT),
        ([1.0, 2.5], [1.0, 2.5], Type.FLOAT),
        ([1, 2.5], [1, 2.5], Type.NUMBER),
        (["a", None], ["a", None], Type.TEXT),
        ([True, False], [True, False], Type.BIT),
        ([None, None], [None, None], Type.NULL),
        ([{"b": 1, "a": [2]}, {"b": 2}], [{"b": 1, "a": [2]}, {"b": 2}], Type.RECORD),
        ([[0.5, 1], []], [[0.5, 1], []], Type.ARRAY),
        ([1, "a"], [1, "a"], Type.ANY),
        ({"result": [3, 4]}, [3, 4], Type.BIGINT),
        (json.dumps({"result": [3, 4]}), [3, 4], Type.BIGINT),
        ({"result": json.dumps([3, 4])}, [3, 4], Type.BIGINT),
        ([2**53 + 1, 2**63 - 1], [2**53 + 1, 2**63 - 1], Type.BIGINT),
    ],
)
def test_answers_keep_their_types(
    loop: ScoringLoop, answer: Any, found: list[Any], kind: Type
) -> None:
    with Adversary(lambda _: Reply(answer)) as server:
        model = Model(server, loop)
        with opened(model.function) as scorer:
            ticket = put(scorer, [1, 2])
            scorer.flush()
            column = finish(scorer, ticket)
        assert column.to_pylist() == found
        assert [type(v) for v in column.to_pylist()] == [type(v) for v in found]
        assert column.type is kind


@pytest.mark.parametrize(
    ("returns", "answer", "found"),
    [
        ("float", [1, 2.5, None], [1.0, 2.5, None]),
        ("bigint", [1, 2.5, "x"], [1, -1, -1]),
        ("nvarchar(max)", ["a", 1, None], ["a", -1, None]),
        ("datetime", ["2024-01-01T00:00:00Z", "x", None], ["2024", -1, None]),
        ("any", [1, "a", float("nan")], [1, "a", -1]),
        ("any", [[float("inf")], 2**64, 1], [-1, -1, 1]),
    ],
)
def test_results_of_a_wrong_type_are_bad_rows(
    loop: ScoringLoop, returns: str, answer: list[Any], found: list[Any]
) -> None:
    with Adversary(lambda _: Reply(answer)) as server:
        got = Model(server, loop, returns=returns, on_error="default: -1").score([1, 2, 3])
    assert [str(v)[:4] if hasattr(v, "year") else v for v in got] == found


def test_designer_answers(loop: ScoringLoop) -> None:
    def behave(request: Request) -> Reply:
        return Reply({"Results": {"out": [{"fare": row[0]} for row in request.rows]}})

    with Adversary(behave) as server:
        model = Model(server, loop, protocol="azureml-designer", output_name="out")
        assert model.score([[1], [2]]) == [{"fare": 1}, {"fare": 2}]


def test_secrets_are_sent_and_never_shown(
    loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("MODEL_KEY", "s3cr3t-k3y")
    (tmp_path / "team").write_text("t0ken-of-team\n")

    def behave(request: Request) -> Reply:
        return Reply(json.dumps(request.headers).encode(), 401)

    with Adversary(behave) as server:
        model = Model(server, loop, key="env:MODEL_KEY", header__x_token=f"file:{tmp_path}/team")
        model.function.url += "?code=hidden"
        with pytest.raises(FunctionError) as error:
            model.score([1])
        sent = server.requests[0]
    assert sent.headers["authorization"] == "Bearer s3cr3t-k3y"
    assert sent.headers["x_token"] == "t0ken-of-team"
    assert sent.path == "/score?code=hidden"
    shown = f"{error.value.message} {error.value.hint} {model.function.settings}"
    for secret in ("s3cr3t-k3y", "t0ken-of-team", "hidden"):
        assert secret not in shown
    assert "401 Unauthorized" in shown
    assert "key=env:NAME" in shown


# -- batches ------------------------------------------------------------------------------------


def test_large_submits_make_full_batches(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop)
        with opened(model.function) as scorer:
            ticket = put(scorer, list(range(22_617)))
            while len(server.requests) < 22 or scorer.stats.in_flight:
                scorer.wait(0.01)
            assert sorted(server.sizes) == [1000] * 22
            assert not ticket.done
            scorer.flush()
            column = finish(scorer, ticket)
        assert column.values.to_pylist() == list(range(0, 45_234, 2))
        assert sorted(server.sizes) == [617] + [1000] * 22
        assert model.stats.requests == 23
        assert model.stats.events == 22_617
        assert server.most_open <= 20


def test_small_submits_fill_batches_while_slots_are_busy(loop: ScoringLoop) -> None:
    release = threading.Event()

    def behave(request: Request) -> Reply:
        return Reply(double(request).body, delay=0.05 if request.number == 1 else 0)

    with Adversary(behave) as server:
        model = Model(server, loop, parallel_requests="1", max_batch_count="10")
        with opened(model.function) as scorer:
            tickets = []
            for first in range(0, 26, 2):
                tickets.append(put(scorer, [first, first + 1]))
                scorer.flush()
            results = [finish(scorer, ticket).to_pylist() for ticket in tickets]
    assert [value for part in results for value in part] == [2 * n for n in range(26)]
    assert max(server.sizes) == 10
    assert len(server.sizes) <= 5
    assert not release.is_set()


def test_batches_keep_the_byte_limit(loop: ScoringLoop) -> None:
    with Adversary(lambda r: Reply([len(row) for row in r.rows])) as server:
        model = Model(server, loop, max_batch_bytes="100")
        texts = ["x" * n for n in (10, 30, 30, 30, 200, 1, 88, 87, 86)]
        assert model.score(texts) == [len(text) for text in texts]
        bodies = [request.body for request in server.requests]
    assert all(len(body) <= 100 or body.count(b",") == 0 for body in bodies)
    assert [len(json.loads(b)["data"]) for b in sorted(bodies, key=len)].count(1) == 6


def test_max_batch_wait_fills_or_sends_in_time(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, max_batch_wait="50ms", max_batch_count="3")
        with opened(model.function) as scorer:
            began = time.monotonic()
            tickets = [put(scorer, [n]) for n in range(4)]
            scorer.flush()
            for ticket in tickets[:3]:
                finish(scorer, ticket)
            assert not tickets[3].done
            finish(scorer, tickets[3])
            assert time.monotonic() - began >= 0.05
            last_one = put(scorer, [9])
            scorer.flush(final=True)
            assert finish(scorer, last_one).to_pylist() == [18]
    assert server.sizes == [3, 1, 1]


def test_saturation_bounds_what_is_queued(loop: ScoringLoop) -> None:
    def behave(request: Request) -> Reply:
        return Reply(double(request).body, delay=0.02)

    with Adversary(behave) as server:
        model = Model(server, loop, max_batch_count="5", parallel_requests="3")
        tickets, most = [], 0
        with opened(model.function) as scorer:
            for first in range(0, 300, 5):
                while scorer.saturated:
                    scorer.wait(1)
                    while tickets and tickets[0].done:
                        tickets.pop(0).result()
                tickets.append(put(scorer, list(range(first, first + 5))))
                most = max(most, len(tickets) * 5)
            for ticket in tickets:
                finish(scorer, ticket)
            assert not scorer.saturated
    assert server.most_open == 3
    assert most <= 65


def test_a_rest_that_fills_no_batch_does_not_stop_the_source(loop: ScoringLoop) -> None:
    """A large submit is not done before its last rows are sent: more rows have to come for that."""
    with Adversary() as server:
        model = Model(server, loop, max_batch_count="4", parallel_requests="1")
        with opened(model.function) as scorer:
            ticket = put(scorer, list(range(22)))
            assert scorer.saturated
            while scorer.stats.events < 20 or scorer.saturated:
                assert scorer.wait(5)
            assert not ticket.done
            put(scorer, [22, 23])
            assert finish(scorer, ticket).to_pylist() == [2 * n for n in range(22)]
    assert server.sizes == [4] * 6


def test_rows_keep_their_order_under_random_latencies(loop: ScoringLoop) -> None:
    chance = random.Random(1)

    def behave(request: Request) -> Reply:
        return Reply(double(request).body, delay=chance.random() * 0.03)

    with Adversary(behave) as server:
        model = Model(server, loop, max_batch_count="7")
        assert model.score(list(range(500))) == [2 * n for n in range(500)]


@hypothesis_settings(max_examples=25)
@for_all(
    values=st.lists(st.integers(-3, 40), max_size=40),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    count=st.integers(1, 12),
    flushes=st.booleans(),
    wrong=st.sampled_from(["400", "length", "text"]),
)
def test_results_do_not_depend_on_batches(
    shared: tuple[Adversary, ScoringLoop],
    values: list[int],
    cuts: list[int],
    count: int,
    flushes: bool,
    wrong: str,
) -> None:
    server, loop = shared

    def behave(request: Request) -> Reply:
        if all(row >= 0 for row in request.rows):
            return Reply([row / 2 if row % 3 else row for row in request.rows])
        return {"400": Reply(b"", 400), "length": Reply([]), "text": Reply(b"Error!")}[wrong]

    server.behave = behave
    model = Model(server, loop, on_error="null", max_batch_count=str(count))
    got: list[Any] = []
    with opened(model.function) as scorer:
        tickets, start = [], 0
        while start < len(values):
            cut = cuts[len(tickets) % len(cuts)]
            tickets.append(put(scorer, values[start : start + cut]))
            start += cut
            if flushes:
                scorer.flush()
        scorer.flush()
        for ticket in tickets:
            got += finish(scorer, ticket).to_pylist()
    wanted = [None if v < 0 else v / 2 if v % 3 else v for v in values]
    assert got == wanted
    assert list(map(type, got)) == list(map(type, wanted))


@pytest.fixture(scope="module")
def shared(loop: ScoringLoop) -> Iterator[tuple[Adversary, ScoringLoop]]:
    with Adversary() as server:
        yield server, loop
