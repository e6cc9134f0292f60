"""Everything hostile a server can answer, in every protocol: rows keep their results, or fail."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from adversary import Adversary, Behaviour, Reply, Request, last
from protocol_bodies import ANSWERS
from scoring_model import Model

from streamql.errors import FunctionError
from streamql.types import Type
from streamql.udf.scoring import ScoringLoop
from streamql.udf.scoring.answers import column_of
from streamql.udf.scoring.protocols import catalog


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


PROTOCOLS = sorted(ANSWERS)
assert {protocol.name for protocol in catalog.PROTOCOLS} == set(PROTOCOLS)  # none is left out
COUNT = 6


def rows(protocol: str) -> list[Any]:
    """Six rows that the protocol can send."""
    if protocol == "openai-embeddings":
        return [str(n) for n in range(COUNT)]
    return [[n, n] for n in range(COUNT)]


def right(protocol: str, request: Request) -> list[Any]:
    """The results of a good model: the number in each row."""
    return [float(last(row)) for row in request.rows]


def expected(protocol: str, found: list[Any]) -> list[Any]:
    return [[v] if protocol == "openai-embeddings" and v is not None else v for v in found]


def good(protocol: str, **how: Any) -> Behaviour:
    return lambda request: Reply(ANSWERS[protocol](right(protocol, request)), **how)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"headers": {"content-type": "text/html"}},
        {"headers": {"content-type": "application/json; charset=latin-1"}},
        {"drip": 0.0},
    ],
    ids=["good", "html", "latin-1", "slow bytes"],
)
def test_answers_that_are_still_good(loop: ScoringLoop, protocol: str, how: dict[str, Any]) -> None:
    with Adversary(good(protocol, **how)) as server:
        model = Model(server, loop, protocol=protocol)
        assert model.score(rows(protocol)) == expected(protocol, [float(n) for n in range(COUNT)])
        assert len(server.requests) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "broken",
    [
        {"cut": 9},
        {"cut": 9, "reset": True},
        {"cut": 0, "reset": True},
        {"status": None},
        {"status": 503},
        {"status": 429, "headers": {"retry-after": "1"}},
        {"status": 408},
        {"status": 425},
        {"status": 500},
        {"status": 502},
        {"status": 504},
        {"raw": b"SSH-2.0-nothing\r\n"},
        {"raw": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"},
        {"delay": 60.0},
        {"drip": 60.0},
    ],
    ids=[
        *("truncated", "reset in mid-body", "reset", "closed", "503", "429", "408", "425", "500"),
        *("502", "504", "another protocol", "broken chunks", "hangs", "hangs in mid-body"),
    ],
)
def test_what_passes_is_tried_again(
    loop: ScoringLoop, protocol: str, broken: dict[str, Any]
) -> None:
    def behave(request: Request) -> Reply:
        return good(protocol, **(broken if request.number <= 2 else {}))(request)

    # a server that hangs is waited for
    timeout = "50ms" if 60.0 in broken.values() else "100s"
    with Adversary(behave) as server:
        model = Model(server, loop, protocol=protocol, attempt_timeout=timeout)
        if timeout == "50ms":
            model.score(rows(protocol))  # the third may be late as well, on a busy machine
            assert len(server.requests) >= 3
            return
        assert model.score(rows(protocol)) == expected(protocol, [float(n) for n in range(COUNT)])
        assert len(server.requests) == 3
    assert sum(model.stats.retries.values()) == 2


def wrongs(protocol: str) -> dict[str, Behaviour]:
    """Bad answers to any request with the fourth row in it, good ones to all others."""

    def spoil(change: Any) -> Behaviour:
        def behave(request: Request) -> Reply:
            found = right(protocol, request)
            return change(found) if 3.0 in found else good(protocol)(request)

        return behave

    def always(reply: Reply) -> Behaviour:
        return lambda request: reply if 3.0 in right(protocol, request) else good(protocol)(request)

    def answered(change: Any) -> Behaviour:
        return spoil(lambda found: Reply(ANSWERS[protocol](change(found))))

    def replaced(value: Any) -> Behaviour:
        return answered(lambda found: [value if v == 3.0 else v for v in found])

    return {
        "NaN": replaced(float("nan")),
        "infinity": replaced(float("-inf")),
        "text for number": replaced("3.0"),
        "more rows": answered(lambda found: [*found, 1.0]),
        "fewer rows": answered(lambda found: found[:-1]),
        "no rows": answered(lambda found: found[:0]),
        "400": always(Reply(b"bad row", 400)),
        "413": always(Reply(b"too large", 413)),
        "424": always(Reply(b"", 424, {"ms-azureml-model-error-statuscode": "400"})),
        "too long": always(Reply(b"[" + b" " * 20_000 + b"]")),
        "long when it is unpacked": always(
            Reply(gzip.compress(b" " * 5_000_000), headers={"content-encoding": "gzip"})
        ),
        "422": always(Reply(b'{"detail": [{"loc": ["body"]}]}', 422)),
        "error with status 200": always(Reply({"error": "no such column"})),
        "text": always(Reply("Traceback (most recent call last)")),
        "null": always(Reply(b"null")),
        "number": always(Reply(b"7")),
        "empty": always(Reply(b"")),
        "half a document": spoil(lambda found: Reply(json.dumps(found).encode()[:-1])),
        "not UTF-8": always(Reply(b'["\xff"]')),
        "deep": always(Reply(b"[" * 100_000)),
        "unpacked wrongly": always(Reply(b"abc", headers={"content-encoding": "gzip"})),
    }


# what is inside of an array is not checked against the type of the call
WRONGS = [
    (protocol, wrong)
    for protocol in PROTOCOLS
    for wrong in sorted(wrongs(protocol))
    if (protocol, wrong) != ("openai-embeddings", "text for number")
]


@pytest.mark.parametrize(("protocol", "wrong"), WRONGS)
def test_only_the_row_to_blame_is_lost(loop: ScoringLoop, protocol: str, wrong: str) -> None:
    wanted = [float(n) if n != 3 else None for n in range(COUNT)]
    returns = "array" if protocol == "openai-embeddings" else "float"
    with Adversary(wrongs(protocol)[wrong]) as server:
        given = {"protocol": protocol, "returns": returns, "max_answer_bytes": "10000"}
        model = Model(server, loop, on_error="null", **given)
        assert model.score(rows(protocol)) == expected(protocol, wanted)
        with pytest.raises(FunctionError) as caught:
            Model(server, loop, **given).score(rows(protocol))
    assert caught.value.row == 3
    assert model.stats.rejected_events == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_refused(loop: ScoringLoop, protocol: str, status: int) -> None:
    with Adversary() as other, Adversary() as server:
        server.behave = lambda _: Reply(b"", status, {"location": other.url})
        with pytest.raises(FunctionError, match=str(status)) as caught:
            Model(server, loop, protocol=protocol, on_error="null").score(rows(protocol))
        assert len(server.requests) == 1
        assert other.requests == other.asked == []
    assert "name the final one" in str(caught.value.hint)


def test_infinities_of_both_signs_are_found_one_by_one() -> None:
    column, bad = column_of([1.0, math.inf, -math.inf, 1.7e308, 1.7e308, math.nan], Type.FLOAT)
    assert column.to_pylist() == [1.0, None, None, 1.7e308, 1.7e308, None]
    assert sorted(bad) == [1, 2, 5]
