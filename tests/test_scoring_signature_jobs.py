"""Signatures in jobs: the type of the call, strange swaggers, rows checked before they are sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from adversary import Adversary, Reply, Request
from protocol_bodies import ANSWERS
from test_scoring_signature import CIRCULAR, LAUGHS, NUMBER, swagger

import streamql
from streamql.errors import FunctionError, StreamqlError, UsageError
from streamql.udf.scoring import ScoringSettings
from streamql.udf.scoring.protocols.catalog import protocol_named

QUERY = "WITH r AS (SELECT a, b FROM input) SELECT udf.score(r) AS s FROM r"
ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": "three", "b": "z"}, {"b": "w"}]
RECORD = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
}


NAMED = ("kserve-v1", "kserve-v2", "tensorflow", "openai-embeddings")


def answer(request: Request) -> Reply:
    return Reply([len(row) / 2 for row in request.rows])


def run(server: Adversary, query: str = QUERY, rows: Any = ROWS, **given: str) -> Any:
    """Return the rows of a query, the text of its failure, and what was warned."""
    warnings: list[str] = []
    with streamql.Engine() as engine:
        engine.on_warning = warnings.append
        engine.register("input", rows)
        engine.model("score", server.url, **given)
        try:
            return engine.sql(query).fetchall(), warnings
        except StreamqlError as error:
            return error, warnings


def page(document: Any) -> dict[str, Reply]:
    return {"/swagger.json": Reply(document)}


def test_signature_types_the_call_and_names_the_parameter() -> None:
    with Adversary(answer, page(swagger(RECORD, {"type": "string"}, "rides"))) as server:
        found, _ = run(server, "SELECT GetArrayLength(udf.score(input)) AS s FROM input")
        assert "'nvarchar(max)'" in found.message
        assert server.requests == []
        assert server.asked == ["GET /swagger.json"]
        wrong, _ = run(server)
        assert "answered a value of type float instead of nvarchar(max)" in wrong.message
        assert "set `returns`" in str(wrong.hint)
        assert json.loads(server.requests[0].body).keys() == {"rides"}
        # what the user says wins
        rows, _ = run(server, returns="float", parameter="p")
        assert [row["s"] for row in rows] == [1.0, 1.0, 1.0, 1.0]
        assert json.loads(server.requests[-1].body).keys() == {"p"}


STRANGE = [
    Reply(b"no", 404),
    Reply(b""),
    Reply(b"\xff\xfe"),
    Reply({}),
    Reply([]),
    Reply(status=None),
    Reply(b"", 302, {"location": "http://127.0.0.1:1/"}),
    Reply(b"[" * 100_000),
    Reply(CIRCULAR),
    Reply(LAUGHS),
    Reply({"name": "m", "inputs": 7, "outputs": [None], "platform": []}),
    Reply({"name": "m", "inputs": [{"name": "x", "datatype": "FP64", "shape": "big"}]}),
    Reply({"name": "m" * 10_000_000, "inputs": []}),
    Reply(b" " * 40_000_000),
]


@pytest.mark.parametrize("protocol", sorted(ANSWERS))
@pytest.mark.parametrize("reply", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_description_stops_no_protocol(protocol: str, reply: Reply) -> None:
    def behave(request: Request) -> Reply:
        return Reply(ANSWERS[protocol]([0.5 for _ in request.rows]))

    pages = dict.fromkeys(("/swagger.json", "/score/v2/models/m"), reply)
    given = {"model": "m"} if protocol in NAMED else {}
    rows = [{"v": "a"}, {"v": "b"}]
    with Adversary(behave, pages) as server:
        query = "SELECT udf.score(v) AS s FROM input"
        found, _ = run(server, query, rows, protocol=protocol, returns="any", **given)
        assert len(server.requests) == 1
        asked = {path.partition(" ")[2] for path in server.asked}
    assert asked <= pages.keys()
    assert bool(asked) == protocol_named(protocol).describes
    one = [0.5] if protocol == "openai-embeddings" else 0.5
    assert [row["s"] for row in found] == [one, one]


@pytest.mark.parametrize(
    ("reply", "warned"),
    [
        (Reply(b"no", 404), False),
        (Reply(b"", 200), False),
        (Reply(b"<html>"), False),
        (Reply({}), False),
        (Reply(None), False),
        (Reply(status=None), False),
        (Reply(b"", 302, {"location": "http://127.0.0.1:1/"}), False),
        (Reply(b"[" * 100_000), False),
        (Reply(CIRCULAR), False),
        (Reply(LAUGHS), False),
        (Reply({"swagger": "2.0", "paths": {"/score": {"post": {}}}}), True),
        (Reply(swagger({}, {})), True),
        (
            Reply(b'{"swagger": "' + b"x" * 10_000_000 + b'", "paths": {"/score": {"post": {}}}}'),
            True,
        ),
        (Reply(b" " * 40_000_000), False),
    ],
    ids=range(14),
)
def test_a_strange_swagger_stops_nothing(reply: Reply, warned: bool) -> None:
    with Adversary(answer, {"/swagger.json": reply}) as server:
        rows, warnings = run(server)
        assert [row["s"] for row in rows] == [1.0, 1.0, 1.0, 1.0]
        assert set(server.asked) == {"GET /swagger.json"}
    assert any("gives no signature" in text for text in warnings) == warned


def test_a_big_swagger_is_read() -> None:
    document = swagger({"type": "array", "items": NUMBER}, NUMBER)
    document["definitions"]["Large"] = {
        "properties": {
            f"column_{n}": {"type": "string", "description": "x" * 80} for n in range(80_000)
        }
    }
    with Adversary(lambda r: Reply(["a"] * len(r.rows)), page(document)) as server:
        assert len(json.dumps(document)) > 10_000_000
        found, _ = run(server)
    assert "instead of float" in found.message


def test_signature_off_asks_nothing() -> None:
    with Adversary(answer, page(swagger(RECORD, {"type": "string"}))) as server:
        rows, _ = run(server, signature="off")
        assert len(rows) == 4
        assert server.asked == []


def test_signature_from_a_file(tmp_path: Any) -> None:
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps(swagger(RECORD, NUMBER, "rides")))
    with Adversary(answer) as server:
        rows, _ = run(server, signature=str(file))
        assert len(rows) == 4
        assert server.asked == []
        assert json.loads(server.requests[0].body).keys() == {"rides"}
        for text, said in (("{", "is not JSON"), ("{}", "no description for protocol azureml")):
            file.write_text(text)
            assert said in run(server, signature=str(file))[0].message
        missing, _ = run(server, signature=str(tmp_path / "none.json"))
        assert "No such file" in missing.message
        other, _ = run(server, signature="http://127.0.0.1:1/swagger.json")
        assert "another host" in other.message


@pytest.mark.parametrize(
    ("given", "rows", "expected"),
    [
        ({"validate": "all"}, ROWS, "column 'a' is \"three\", the model wants integer"),
        ({"validate": "sample"}, ROWS, "column 'a' is \"three\""),
        ({"validate": "all"}, ROWS[3:], "column 'a' is null, the model wants integer"),
        ({"validate": "all"}, ROWS[:2], [1.0, 1.0]),
        ({"validate": "off"}, ROWS, [1.0, 1.0, 1.0, 1.0]),
        ({"validate": "all", "on_error": "null"}, ROWS, [1.0, 1.0, None, None]),
        (
            {"validate": "all", "on_error": "null", "max_batch_count": "1"},
            ROWS,
            [1.0, 1.0, None, None],
        ),
        ({"validate": "all", "on_error": "default: -1"}, ROWS, [1.0, 1.0, -1, -1]),
        ({"validate": "all", "row_schema": '{"type":"array"}'}, ROWS, 'the row is {"a":1'),
        ({"validate": "all", "row_schema": '{"required":["z"]}'}, ROWS, "has no column 'z'"),
    ],
)
def test_rows_are_validated_before_they_are_sent(given: Any, rows: Any, expected: Any) -> None:
    with Adversary(answer, page(swagger(RECORD, NUMBER))) as server:
        found, _ = run(server, rows=rows, **given)
        if isinstance(expected, str):
            assert isinstance(found, FunctionError)
            assert "was not asked" in found.message
            assert expected in found.message
        else:
            assert [row["s"] for row in found] == expected
            sent = [row for request in server.requests for row in request.rows]
            assert all(row["a"] != "three" for row in sent) or given["validate"] == "off"


def test_a_sample_does_not_depend_on_batches() -> None:
    rows = [{"a": n if n % 7 else "bad", "b": ""} for n in range(1, 3001)]
    wanted = [None if n % 7 == 0 and (n <= 1000 or n % 100 == 0) else 1.0 for n in range(1, 3001)]
    with Adversary(answer, page(swagger(RECORD, NUMBER))) as server:
        for count in ("1000", "333"):
            given = {"validate": "sample", "on_error": "null", "max_batch_count": count}
            found, _ = run(server, rows=rows, **given)
            assert [row["s"] for row in found] == wanted


def test_validation_needs_a_schema() -> None:
    with Adversary(answer) as server:
        found, _ = run(server, validate="all")
        assert isinstance(found, UsageError)
        assert "nobody says what a row looks like" in found.message
        assert server.requests == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"validate": "some"}, "score.validate takes off, sample or all"),
        ({"row_schema": "nowhere.json"}, "a JSON Schema, or the path of a file with one"),
        ({"row_schema": '{"type": 7}'}, "a JSON Schema (7 is not valid"),
        ({"row_schema": "{"}, "a JSON object"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        ScoringSettings.from_strings(given)
    assert said in caught.value.message
