"""Scoring over HTTP, against a server that misbehaves."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from adversary import Adversary, Behaviour, Reply, Request, double, last
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql.column import Column, from_values
from streamql.errors import BindError, FunctionError, Span, UsageError
from streamql.types import Type
from streamql.udf.scoring import (
    ModelFunction,
    OnError,
    Scorer,
    ScoringLoop,
    ScoringSettings,
    scoring_function,
)
from streamql.udf.scoring.failure import Clock, pause, retry_after
from streamql.udf.scoring.function import ScoringFunction


class FastClock(Clock):
    """A clock that waits for nothing and remembers what it should have waited for."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def random(self) -> float:
        return 1.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


class Model:
    """A server, the function in front of it, and everything it said."""

    def __init__(self, server: Adversary, loop: ScoringLoop, **given: str) -> None:
        self.server = server
        self.clock = FastClock()
        self.warnings: list[str] = []
        self.letters: list[dict[str, Any]] = []
        values = {name.replace("__", "."): value for name, value in given.items()}
        self.function = ScoringFunction(
            "score", server.url, ScoringSettings.from_strings(values), loop, self.clock
        )
        self.function.on_warning = self.warnings.append
        self.function.on_dead_letter = self.letters.append

    def score(self, values: list[Any]) -> list[Any]:
        with opened(self.function) as scorer:
            ticket = put(scorer, values)
            scorer.flush()
            return finish(scorer, ticket).to_pylist()

    @property
    def stats(self) -> Any:
        return self.function.stats


class opened:  # noqa: N801 - reads as a function
    """A scorer that is closed."""

    def __init__(self, function: ModelFunction) -> None:
        self.scorer = function.open()

    def __enter__(self) -> Scorer:
        return self.scorer

    def __exit__(self, *exception: object) -> None:
        self.scorer.close()


def put(scorer: Scorer, values: list[Any], first: int = 1) -> Any:
    rows = pa.array([None if v is None else json.dumps(v, separators=(",", ":")) for v in values])
    return scorer.submit(rows.cast(pa.string()), np.arange(first, first + len(values)))


def finish(scorer: Scorer, ticket: Any) -> Column:
    deadline = time.monotonic() + 10
    while not ticket.done:
        scorer.wait(0.2)
        assert time.monotonic() < deadline, "the ticket is never done"
    return ticket.result()


def bad_rows(status: int, headers: dict[str, str] | None = None) -> Behaviour:
    """A model that refuses batches with a value below 0 in them."""

    def behave(request: Request) -> Reply:
        if any(last(row) is not None and last(row) < 0 for row in request.rows):
            return Reply(b"negative value", status, headers or {})
        return double(request)

    return behave


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
    with Adversary(lambda request: Reply(answer)) as server:
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
    with Adversary(lambda request: Reply(answer)) as server:
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
    with Adversary(lambda request: Reply(answer)) as server:
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
    assert sum(results, []) == [2 * n for n in range(26)]
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


def test_rows_keep_their_order_under_random_latencies(loop: ScoringLoop) -> None:
    chance = random.Random(1)

    def behave(request: Request) -> Reply:
        return Reply(double(request).body, delay=chance.random() * 0.03)

    with Adversary(behave) as server:
        model = Model(server, loop, max_batch_count="7")
        assert model.score(list(range(500))) == [2 * n for n in range(500)]


# -- failures -----------------------------------------------------------------------------------


def failing(times: int, reply: Reply, after: Behaviour = double) -> Behaviour:
    return lambda request: reply if request.number <= times else after(request)


@pytest.mark.parametrize(
    ("times", "reply", "label"),
    [
        (3, Reply(b"busy", 503), "503"),
        (10, Reply(b"", 500), "500"),
        (2, Reply(b"", 408), "408"),
        (2, Reply(b"", 425), "425"),
        (30, Reply(b"", 503), "503"),
        (2, Reply(b"", 424, {"ms-azureml-model-error-statuscode": "503"}), "424"),
        (2, Reply(status=None), "connection"),
        (2, Reply([1, 2, 3], cut=4), "connection"),
    ],
)
def test_retried_until_it_answers(loop: ScoringLoop, times: int, reply: Reply, label: str) -> None:
    with Adversary(failing(times, reply)) as server:
        model = Model(server, loop)
        assert model.score([1, 2, 3]) == [2, 4, 6]
        assert len(server.requests) == times + 1
    assert model.stats.retries == {label: times}
    assert model.stats.failed_requests == times
    assert model.clock.slept == [min(30, 0.1 * 2**n) for n in range(times)]


@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2015 07:28:07 GMT"])
def test_retry_after_is_kept(loop: ScoringLoop, value: str) -> None:
    with Adversary(failing(1, Reply(b"", 429, {"Retry-After": value}))) as server:
        model = Model(server, loop)
        model.clock.wall = lambda: 1445412480.0  # type: ignore[method-assign]
        assert model.score([1]) == [2]
    assert model.clock.slept == [pytest.approx(7.1)]
    assert "429 Too Many Requests; trying again in 7.1 s" in model.warnings[0]
    assert "answers again" in model.warnings[1]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("-3", 0.0), ("1.5", 1.5), ("nan", None), ("soon", None), (None, None)],
)
def test_retry_after_values(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 0.0) == seconds


def test_pauses_grow_and_are_spread() -> None:
    assert [pause(n, None, 1.0) for n in (1, 2, 3, 9, 10, 1000)] == [0.1, 0.2, 0.4, 25.6, 30, 30]
    assert pause(5, None, 0.0) == 0.0


@pytest.mark.parametrize(
    ("given", "reply", "requests", "said"),
    [
        ({}, Reply(b"oops", 500), 11, "answered 500 Internal Server Error (11 attempts"),
        ({"max_retries": "2"}, Reply(b"", 503), 3, "503 Service Unavailable (3 attempts"),
        ({"max_retries": "0"}, Reply(b"", 502), 1, "502 Bad Gateway"),
        ({"total_timeout": "5s"}, Reply(b"", 503), None, "503 Service Unavailable ("),
        ({"total_timeout": "5s"}, Reply(b"", 503, {"retry-after": "6"}), 1, "503"),
        ({}, Reply(b"who?", 403), 1, "answered 403 Forbidden: who?"),
        ({}, Reply(b"", 404), 1, "answered 404 Not Found; row [1]"),
        ({}, Reply(b"", 307, {"location": "http://evil/"}), 1, "307 Temporary Redirect"),
        ({}, Reply(b"", 204), 1, "204 No Content"),
        ({}, Reply(b"no", 422), 1, "answered 422 Unprocessable"),
        ({}, Reply(b"x" * 9000, 400), 1, "xxx...; row [1]"),
        ({}, Reply(b"<html>", 200), 1, "answered something that is not JSON: <html>; row [1]"),
        ({}, Reply(b"", 200), 1, "answered something that is not JSON"),
        ({}, Reply([1, 2]), 1, "answered 2 results for 1 rows: [1, 2]"),
        ({}, Reply([]), 1, "answered 0 results for 1 rows"),
        ({}, Reply({"error": "no"}), 1, "answered an object with 'error' instead of a list"),
        ({}, Reply("text"), 1, "answered a text instead of a list of results"),
        ({}, Reply([float("nan")]), 1, "answered NaN or infinity"),
        ({"max_answer_bytes": "10"}, Reply([1] * 9), 1, "answered more than 10 bytes"),
        (
            {"attempt_timeout": "30ms", "max_retries": "1"},
            Reply([1], delay=1),
            2,
            "gave no answer within 0.03 s (2 attempts",
        ),
        (
            {"attempt_timeout": "30ms", "max_retries": "0"},
            Reply([1] * 9, drip=0.01),
            1,
            "gave no answer within 0.03 s",
        ),
        (
            {},
            Reply(b"x", 424, {"ms-azureml-model-error-statuscode": "400"}),
            1,
            "answered 424 Failed Dependency (the model's own status: 400): x",
        ),
        (
            {"max_retries": "1"},
            Reply(b"x", 500, {"x-ms-run-function-failed": "True"}),
            2,
            "(the model's run() failed)",
        ),
    ],
)
def test_failures_that_stop_the_job(
    loop: ScoringLoop, given: dict[str, str], reply: Reply, requests: int | None, said: str
) -> None:
    with Adversary(lambda request: reply) as server:
        model = Model(server, loop, **given)
        with pytest.raises(FunctionError) as caught:
            model.score([[1]])
        assert requests is None or len(server.requests) == requests
    error = caught.value
    assert said in error.message
    assert server.url in error.message
    assert error.row == 0
    assert error.event == 1


@pytest.mark.parametrize("status", [400, 413, 422, 424])
def test_one_bad_row_among_a_thousand(loop: ScoringLoop, status: int) -> None:
    values = list(range(1000))
    values[637] = -637
    with Adversary(bad_rows(status)) as server:
        model = Model(server, loop, on_error="null")
        wanted: list[Any] = [2 * n for n in values]
        wanted[637] = None
        assert model.score(values) == wanted
        assert len(server.requests) <= 21
        with pytest.raises(FunctionError) as caught:
            Model(server, loop).score(values)
    assert (caught.value.row, caught.value.event) == (637, 638)
    assert "negative value; row -637" in caught.value.message
    assert "score.on_error" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("on_error", "found", "skipped"),
    [
        ("null", [0, None, 4, None, 8], None),
        ("default: -1", [0, -1, 4, -1, 8], None),
        ('default:{"a":[1]}', [0, {"a": [1]}, 4, {"a": [1]}, 8], None),
        ("default: none yet", [0, "none yet", 4, "none yet", 8], None),
        ("skip", [0, None, 4, None, 8], [False, True, False, True, False]),
        ("dead_letter", [0, None, 4, None, 8], [False, True, False, True, False]),
    ],
)
def test_on_error(
    loop: ScoringLoop, on_error: str, found: list[Any], skipped: list[bool] | None
) -> None:
    with Adversary(bad_rows(400)) as server:
        model = Model(server, loop, on_error=on_error)
        with opened(model.function) as scorer:
            ticket = put(scorer, [0, -1, 2, -3, 4], first=11)
            scorer.flush()
            assert finish(scorer, ticket).to_pylist() == found
        assert (None if ticket.skipped is None else ticket.skipped.tolist()) == skipped
        assert model.stats.rejected_events == 2
    if on_error == "dead_letter":
        assert [letter["event"] for letter in model.letters] == [12, 14]
        assert model.letters[0] == {
            "function": "score",
            "event": 12,
            "row": -1,
            "url": server.url,
            "error": "answered 400 Bad Request",
            "status": 400,
            "body": "negative value",
        }


def test_on_error_covers_a_server_that_stays_down(loop: ScoringLoop) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/score"
    given = {"total_timeout": "20s", "on_error": "null"}
    clock, warnings = FastClock(), list[str]()
    function = ScoringFunction("score", url, ScoringSettings.from_strings(given), loop, clock)
    function.on_warning = warnings.append
    with opened(function) as scorer:
        ticket = put(scorer, [1, 2])
        scorer.flush()
        assert finish(scorer, ticket).to_pylist() == [None, None]
    assert 10 < sum(clock.slept) <= 20
    assert len(warnings) == 1
    assert "cannot be reached (" in warnings[0]
    assert "refused" in warnings[0].lower()


def test_a_wrong_key_stops_the_job_whatever_on_error_says(loop: ScoringLoop) -> None:
    with Adversary(lambda request: Reply(b"", 401)) as server:
        with pytest.raises(FunctionError, match="401"):
            Model(server, loop, on_error="null").score([1, 2])
        assert len(server.requests) == 1


def test_endless_retries_say_how_to_end_them(loop: ScoringLoop) -> None:
    with Adversary(failing(40, Reply(b"", 503))) as server:
        model = Model(server, loop)
        assert model.score([1]) == [2]
    assert "until it answers (score.total_timeout or score.max_retries" in model.warnings[0]
    assert 3 < len(model.warnings) < 40


def test_the_first_bad_row_is_told_and_earlier_tickets_have_results(loop: ScoringLoop) -> None:
    def behave(request: Request) -> Reply:
        reply = bad_rows(400)(request)
        reply.delay = 0.03 if request.rows[0] < 10 else 0
        return reply

    with Adversary(behave) as server:
        model = Model(server, loop, max_batch_count="4")
        with opened(model.function) as scorer:
            tickets = [put(scorer, [0, 1], 1), put(scorer, [2, -3, 4, 5], 3)]
            tickets += [put(scorer, [10, 11, 12, -13, 14, 15], 7), put(scorer, [20], 13)]
            scorer.flush()
            assert finish(scorer, tickets[0]).to_pylist() == [0, 2]
            for ticket, row in zip(tickets[1:3], (1, None), strict=True):
                with pytest.raises(FunctionError, match="row -3") as caught:
                    finish(scorer, ticket)
                assert (caught.value.row, caught.value.event) == (row, 4)
            with pytest.raises(FunctionError, match="row -3"):
                finish(scorer, put(scorer, [1]))


def test_cancel_is_prompt(loop: ScoringLoop) -> None:
    with Adversary(lambda request: Reply([1], delay=30)) as server:
        model = Model(server, loop)
        scorer = model.function.open()
        ticket = put(scorer, [1])
        scorer.flush()
        while not server.requests:
            time.sleep(0.005)
        began = time.monotonic()
        scorer.cancel()
        assert time.monotonic() - began < 1
        with pytest.raises(FunctionError, match="cancelled"):
            ticket.result()
        scorer.close()


def test_a_loop_closes_what_was_left_open() -> None:
    own = ScoringLoop()
    with Adversary() as server:
        model = Model(server, own)
        assert model.function.call([from_values([1, 2])], 2).to_pylist() == [2, 4]
        assert model.function.call([from_values([3])], 1).to_pylist() == [6]
        own.close()
    assert model.stats.requests == 2


def test_call_cannot_skip(loop: ScoringLoop) -> None:
    with Adversary(bad_rows(400)) as server:
        function = Model(server, loop, on_error="skip").function
        with pytest.raises(FunctionError, match="cannot drop it here") as caught:
            function.call([from_values([1, -1])], 2)
        function.close()
    assert caught.value.row == 1


@settings(max_examples=25, deadline=None)
@given(
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


# -- settings and the factory -------------------------------------------------------------------


def test_settings_are_read() -> None:
    given = {
        "max_batch_count": "100",
        "max_batch_bytes": "2MB",
        "max_batch_wait": "0ms",
        "attempt_timeout": "250ms",
        "total_timeout": "2m",
        "on_error": "default: 0",
        "header.x-team": "rides",
        "protocol": "azureml-designer",
        "input_name": "in",
    }
    read = ScoringSettings.from_strings(given)
    assert (read.max_batch_count, read.max_batch_bytes) == (100, 2_000_000)
    assert (read.max_batch_wait, read.attempt_timeout, read.total_timeout) == (0, 0.25, 120)
    assert (read.on_error.action, read.on_error.default) == (OnError.DEFAULT, 0)
    assert read.headers == {"x-team": "rides"}
    assert read.protocol.name == "azureml-designer"
    assert ScoringSettings.from_strings({}) == ScoringSettings()


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"max_batch_cont": "1"}, "score has no setting 'max_batch_cont'", "max_batch_count"),
        ({"rate_limit": "1"}, "score has no setting 'rate_limit'", ""),
        ({"max_batch_count": "0"}, "takes a whole number from 1 to 1,000,000, found '0'", ""),
        ({"max_batch_count": "auto"}, "score.max_batch_count takes a whole number", ""),
        ({"attempt_timeout": "100"}, "score.attempt_timeout takes a duration", ""),
        ({"max_batch_bytes": "4 potatoes"}, "score.max_batch_bytes takes a size", ""),
        ({"on_error": "ignore"}, "takes fail, null, default: VALUE, skip", ""),
        ({"on_error": "default"}, "takes default: VALUE", ""),
        ({"key": "hunter2"}, "score.key takes env:NAME or file:PATH", "environment variable"),
        ({"header.x-api-key": "hunter2"}, "takes env:NAME or file:PATH", "environment"),
        ({"header.Content-Type": "text/csv"}, "set by the request itself", ""),
        ({"headers": "a: b"}, "no setting 'headers'", "header.NAME=VALUE"),
        ({"protocol": "azureml-desinger"}, "(did you mean azureml-designer?)", ""),
        ({"input_name": "a"}, "of protocol azureml-designer, not of azureml", "protocol="),
        ({"client_key": __file__}, "without score.client_cert", ""),
        ({"proxy": "http://me:hunter2@host"}, "without a password", ""),
        ({"returns": "decimal"}, "score.returns takes bigint, float", ""),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, str], said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ScoringSettings.from_strings(given)
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")
    if given.get("key"):
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ftp://host/score", "neither an http"),
        ("http://", "is not the URL of a model"),
        ("http://host:99999/score", "is not the URL of a model"),
        ("http://ho st/", "is not the URL of a model"),
        ("https://me:hunter2@host/score", "has a password in it"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("model.bin", "is no model"),
    ],
)
def test_specs_that_are_no_models(loop: ScoringLoop, spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        scoring_function("score", spec, ScoringSettings(), loop)
    assert said in caught.value.message
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_one_argument_only(loop: ScoringLoop) -> None:
    function = scoring_function("score", "http://127.0.0.1:1/", ScoringSettings(), loop)
    assert function.check([Type.ARRAY], Span(0, 1), [Span(0, 1)]) is Type.ANY
    for count in (0, 2):
        with pytest.raises(BindError) as caught:
            function.check([Type.ANY] * count, Span(0, 9), [Span(1, 2), Span(4, 5)][:count])
        assert "createArray" in str(caught.value.hint)
        assert "WITH" in str(caught.value.hint)


def test_a_missing_key_and_a_missing_sink_are_told_before_the_first_row(
    loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    for given, said in (
        ({"key": "env:NO_SUCH_KEY"}, "NO_SUCH_KEY is not set"),
        ({"on_error": "dead_letter"}, "a place for the dead letters"),
    ):
        parsed = ScoringSettings.from_strings(given)
        with pytest.raises(UsageError, match=said):
            scoring_function("score", "http://127.0.0.1:1/", parsed, loop).open()
