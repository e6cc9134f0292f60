"""Scoring over HTTP against a server that misbehaves: retries, halves, `on_error`."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from adversary import Adversary, Behaviour, Reply, Request, double
from scoring_model import FastClock, Model, bad_rows, finish, opened, put

from streamql.column import from_values
from streamql.errors import FunctionError
from streamql.network.retry import pause, retry_after
from streamql.udf.scoring import (
    ScoringLoop,
    ScoringSettings,
)
from streamql.udf.scoring.function import ScoringFunction


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


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
        ({}, Reply(b"no", 422), 1, "answered 422 Unprocessable Content"),
        ({}, Reply(b"x" * 9000, 400), 1, "xxx...; row [1]"),
        ({}, Reply(b"<html>", 200), 1, "answered something that is not JSON: <html>; row [1]"),
        ({}, Reply(b"", 200), 1, "answered something that is not JSON"),
        ({}, Reply([1, 2]), 1, "answered 2 results for 1 row: [1, 2]"),
        ({}, Reply([]), 1, "answered 0 results for 1 row"),
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
    with Adversary(lambda _: reply) as server:
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
            "request": f'curl -X POST {server.url} -H "content-type: application/json" '
            """--data-binary '{"data":[-1]}'""",
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
    with Adversary(lambda _: Reply(b"", 401)) as server:
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
    with Adversary(lambda _: Reply([1], delay=30)) as server:
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
