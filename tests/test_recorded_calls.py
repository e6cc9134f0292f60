"""Record and replay: the same rows come out without the model, however they were batched."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from adversary import Adversary, Reply, Request, last
from click.testing import CliRunner
from protocol_bodies import ANSWERS
from test_onnx import linear
from test_scoring_hostile import PROTOCOLS, expected, rows
from test_scoring_signature import swagger

from streamql import Engine
from streamql.cli import main
from streamql.errors import FunctionError, UsageError

QUERY = "SELECT n, udf.score(v) AS s INTO output FROM input"
NOWHERE = "http://nonexistent.invalid/score"
ANSWER_KINDS: list[Any] = [
    1,
    1.0,
    -0.0,
    2**62,
    1e300,
    0.1,
    "a",
    "",
    'quote " and \\ and \u2028',
    "2024-01-01T00:00:00Z",
    True,
    None,
    [1, 2.0, "x"],
    {"b": 1, "a": [None, {"c": "ä"}]},
    [],
    {},
]


def picky(request: Request) -> Reply:
    """Refuse negative rows, answer others by their value."""
    found = [last(row) for row in request.rows]
    if any(isinstance(v, int | float) and v < 0 for v in found):
        return Reply(b"negative", 422)
    return Reply([ANSWER_KINDS[v % len(ANSWER_KINDS)] if isinstance(v, int) else v for v in found])


def run(spec: str, values: list[Any], settings: dict[str, Any], **given: str) -> list[Any]:
    with Engine(**settings) as engine:
        engine.register("input", [{"n": n, "v": v} for n, v in enumerate(values)])
        engine.model("score", spec, **given)
        return engine.sql(QUERY).fetchall()


def both(file: Path, server: Adversary, values: list[Any], **given: str) -> tuple[Any, Any]:
    recorded = run(server.url, values, {"record_calls": str(file)}, **given)
    count = len(server.requests)
    replayed = run(NOWHERE, values, {"replay_calls": str(file)}, **given)
    assert len(server.requests) == count
    return recorded, replayed


@pytest.mark.parametrize("policy", ["null", "default: 7", "skip"])
def test_answers_and_failures_come_back(tmp_path: Path, policy: str) -> None:
    values = [*range(len(ANSWER_KINDS)), -1, 3, -2, -1, 3.5, "text", None, [1, 2]]
    with Adversary(picky) as server:
        recorded, replayed = both(tmp_path / "calls.jsonl", server, values, on_error=policy)
    assert replayed == recorded
    shown = [json.dumps(row["s"]) for row in recorded]
    assert [json.dumps(row["s"]) for row in replayed] == shown  # 1 is not 1.0
    assert {"skip": None, "null": "null"}.get(policy, "7") == (
        None if policy == "skip" else shown[len(ANSWER_KINDS)]
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol(tmp_path: Path, protocol: str) -> None:
    def behave(request: Request) -> Reply:
        return Reply(ANSWERS[protocol]([float(last(row)) for row in request.rows]))

    with Adversary(behave) as server:
        recorded, replayed = both(
            tmp_path / "calls.jsonl", server, rows(protocol), protocol=protocol
        )
    assert replayed == recorded
    assert [row["s"] for row in recorded] == expected(protocol, [float(n) for n in range(6)])


def test_the_file_is_the_same_whatever_the_batches_and_the_speed_of_answers(tmp_path: Path) -> None:
    chance = random.Random(3)

    def slow(request: Request) -> Reply:
        reply = picky(request)
        reply.delay = chance.random() / 50
        return reply

    values = [n % 40 - 5 for n in range(200)]
    texts = []
    for name, size, ordered in (("a", "1000", "true"), ("b", "7", "true"), ("c", "3", "false")):
        file = tmp_path / name
        with Adversary(slow) as server:
            run(
                server.url,
                values,
                {"record_calls": str(file)},
                max_batch_count=size,
                ordered=ordered,
                on_error="null",
            )
            texts.append(file.read_text().replace(str(server.port), "PORT"))
    assert texts[0] == texts[1] == texts[2]
    # one line for each row, in the order of its first use
    lines = [json.loads(line) for line in texts[0].rstrip().split("\n")]
    assert [line["row"] for line in lines[1:]] == [n - 5 for n in range(40)]
    assert lines[0] == {
        "function": "score",
        "model": "http://127.0.0.1:PORT/score",
        "protocol": "azureml",
        "returns": "any",
    }
    assert str(lines[1].pop("failure")).startswith("answered 422 Unprocessable Content")
    assert lines[1] == {"function": "score", "row": -5, "status": 422, "body": "negative"}
    # and the answers do not depend on the batches either
    replays = [
        run(NOWHERE, values, {"replay_calls": str(file)}, on_error="null", max_batch_count=size)
        for size in ("1", "64", "1000")
    ]
    assert replays[0] == replays[1] == replays[2]


def test_the_job_stops_at_the_same_row(tmp_path: Path) -> None:
    values, file = [1, 2, 3, -4, 5], tmp_path / "calls.jsonl"
    errors = []
    with Adversary(picky) as server:
        for spec, settings in (
            (server.url, {"record_calls": str(file)}),
            (NOWHERE, {"replay_calls": str(file)}),
        ):
            with pytest.raises(FunctionError) as caught:
                run(spec, values, settings)
            errors.append((caught.value.message, caught.value.hint, caught.value.event))
    assert errors[0] == errors[1]
    assert errors[0][2] == 4
    assert [json.loads(line).get("row") for line in file.read_text().splitlines()[1:]] == [
        1,
        2,
        3,
        -4,
    ]


def test_dead_letters_are_the_same_but_for_the_request(tmp_path: Path) -> None:
    values, file = [1, -2, 3, -2], tmp_path / "calls.jsonl"
    letters = []
    with Adversary(picky) as server:
        for spec, calls in ((server.url, "record_calls"), (NOWHERE, "replay_calls")):
            dead = tmp_path / calls
            settings = {calls: str(file), "dead_letters": str(dead)}
            run(spec, values, settings, on_error="dead_letter")
            letters.append([json.loads(line) for line in dead.read_text().splitlines()])
    assert [letter.pop("request").split()[0] for letter in letters[0]] == ["curl", "curl"]
    assert all(letter.pop("time").endswith("Z") for some in letters for letter in some)
    assert letters[0] == letters[1]
    assert [letter["event"] for letter in letters[0]] == [2, 4]


def test_what_is_wrong_for_all_rows_is_not_recorded(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with Adversary(lambda _: Reply(b"who are you", 401)) as server:
        with pytest.raises(FunctionError, match="401"):
            run(server.url, [1], {"record_calls": str(file)}, on_error="null")
        assert len(file.read_text().splitlines()) == 1
        server.behave = picky
        run(server.url, [1], {"record_calls": str(file)}, on_error="null")
    assert len(file.read_text().splitlines()) == 2


def test_a_file_is_continued_and_its_last_answer_counts(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with Adversary(lambda request: Reply([1 for _ in request.rows])) as server:
        run(server.url, [1, 2], {"record_calls": str(file)})
        before = file.read_text()
        run(server.url, [2, 1], {"record_calls": str(file)})
        assert file.read_text() == before
        file.write_text(before + '{"function":"score","row":9,"ans')  # a run that was killed
        server.behave = lambda request: Reply([2 for _ in request.rows])
        run(server.url, [2, 3], {"record_calls": str(file)})
    added = file.read_text().removeprefix(before).splitlines()
    assert [json.loads(line) for line in added] == [
        {"function": "score", "row": row, "answer": 2} for row in (2, 3)
    ]
    found = run(NOWHERE, [1, 2, 3], {"replay_calls": str(file)})
    assert [row["s"] for row in found] == [1, 2, 2]


def test_with_a_cache_each_row_is_asked_and_recorded_once(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with Adversary(picky) as server:
        given = {"cache": "100", "on_error": "null"}
        recorded, replayed = both(file, server, [1, 1, -1, -1, 2], **given)
        assert sum(server.sizes) > 3  # the bad row stands alone in the end
    assert recorded == replayed
    assert len(file.read_text().splitlines()) == 4


def test_the_signature_is_recorded_with_the_calls(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    pages = {"/swagger.json": Reply(swagger({"type": "number"}, {"type": "integer"}))}
    with Adversary(lambda request: Reply([1 for _ in request.rows]), pages) as server:
        recorded, replayed = both(file, server, [1.5])
        asked = len(server.asked)
        run(server.url.replace("/score", "/"), [1.5], {"replay_calls": str(file)}, protocol="auto")
        assert len(server.asked) == asked
    assert recorded == replayed
    assert json.loads(file.read_text().splitlines()[0])["returns"] == "bigint"
    with Engine(replay_calls=str(file)) as engine:
        engine.register("input", [{"n": 1, "v": 1.5}])
        engine.model("score", NOWHERE)
        # a bigint takes part in whole division, a float does not
        assert engine.sql("SELECT udf.score(v) / 2 AS s FROM input").fetchall() == [{"s": 0}]


def test_no_secret_is_recorded_and_none_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "calls.jsonl"
    monkeypatch.setenv("SCORE_KEY", "sesame-open-now")

    def telling(request: Request) -> Reply:
        return Reply(f"bad key? {request.headers['authorization']}".encode(), 422)

    given = {"key": "env:SCORE_KEY", "on_error": "null"}
    with Adversary(telling) as server:
        run(f"{server.url}?code=hidden-too", [1], {"record_calls": str(file)}, **given)
    text = file.read_text()
    assert "bad key?" in text
    assert "sesame" not in text
    assert "hidden" not in text
    monkeypatch.delenv("SCORE_KEY")
    assert run(NOWHERE, [1], {"replay_calls": str(file)}, **given) == [{"n": 0, "s": None}]


def test_scripts_are_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    script = tmp_path / "score.py"
    script.write_text(
        "import json\n"
        "def init(): pass\n"
        "def run(data):\n"
        "    rows = json.loads(data)['data']\n"
        "    if any(row < 0 for row in rows): raise ValueError('negative')\n"
        "    return [row * 2 for row in rows]\n"
    )
    values = [1, 2, -3, 4]
    for isolate in ("false", "true"):
        found = run(
            str(script), values, {"record_calls": str(file)}, on_error="null", isolate=isolate
        )
        away = tmp_path / "gone.py"
        assert found == run(
            str(away), values, {"replay_calls": str(file)}, on_error="null", isolate=isolate
        )
        assert [row["s"] for row in found] == [2, 4, None, 8]


def test_onnx_models_are_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    path = linear(tmp_path / "m.onnx")
    values = [[1, 2, 3], [3, 2, 1], ["x", 1, 1]]
    found = run(str(path), values, {"record_calls": str(file)}, on_error="null")
    assert [row["s"] for row in found] == [321.0, 123.0, None]
    assert found == run(
        str(tmp_path / "gone.onnx"), values, {"replay_calls": str(file)}, on_error="null"
    )


def test_an_unrecorded_row_shows_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(
        '{"function":"score","model":"m","protocol":"azureml","returns":"any"}\n'
        '{"function":"score","row":{"fare":10,"day":"Mon"},"answer":1}\n'
        '{"function":"score","row":{"fare":12,"day":"Tue"},"answer":2}\n'
    )
    values = [{"fare": 10, "day": "Mon"}, {"fare": 12, "day": "Tuesday"}]
    for policy in ("fail", "null", "skip"):
        with pytest.raises(FunctionError) as caught:
            run(NOWHERE, values, {"replay_calls": str(file)}, on_error=policy)
        assert caught.value.event == 2
        assert f"{file} has no answer to this row" in caught.value.message
        assert (
            'the nearest recorded row, in line 3, is {"fare":12,"day":"Tue"} '
            '(day: "Tue" there, "Tuesday" here)' in caught.value.message
        )
        assert "--record-calls" in str(caught.value.hint)


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", '{"function":"score","row":1}', '{"row":1,"answer":2}', '{"function":"f"}'],
)
def test_a_file_of_something_else(tmp_path: Path, line: str) -> None:
    file = tmp_path / "calls.jsonl"
    file.write_text(f'{{"function":"score","row":1,"answer":2}}\n{line}\n')
    with pytest.raises(UsageError, match="line 2 is no recorded call") as caught:
        run(NOWHERE, [1], {"replay_calls": str(file)})
    assert caught.value.hint


def test_files_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with pytest.raises(UsageError, match="there is no file"):
        run(NOWHERE, [1], {"replay_calls": str(file)})
    with pytest.raises(UsageError, match="both at once"):
        run(NOWHERE, [1], {"replay_calls": str(file), "record_calls": str(file)})
    file.write_text('{"function":"scor","model":"m","protocol":"p","returns":"any"}\n')
    with pytest.raises(UsageError, match="has no recorded calls") as caught:
        run(NOWHERE, [1], {"replay_calls": str(file)})
    assert caught.value.hint == "did you mean scor?"


def test_the_flags(tmp_path: Path) -> None:
    events, file = tmp_path / "events.jsonl", tmp_path / "calls.jsonl"
    events.write_text('{"n": 1, "v": 4}\n{"n": 2, "v": -1}\n')
    flags = ["run", "-q", QUERY, "--input", str(events), "--set", "score.on_error=null"]
    outputs = [tmp_path / "recorded.jsonl", tmp_path / "replayed.jsonl"]
    with Adversary(picky) as server:
        flags += ["--function", f"score={server.url}"]
        more = ["--output", str(outputs[0]), "--record-calls", str(file)]
        recorded = CliRunner().invoke(main, [*flags, *more])
    more = ["--output", str(outputs[1]), "--replay-calls", str(file)]
    replayed = CliRunner().invoke(main, [*flags, *more])
    assert recorded.exit_code == replayed.exit_code == 0, replayed.output
    assert outputs[1].read_bytes() == outputs[0].read_bytes() != b""
    assert "request" not in replayed.stderr
    events.write_text('{"n": 1, "v": 5}\n')
    failed = CliRunner().invoke(main, [*flags, *more])
    assert failed.exit_code == 3
    assert "has no answer to this row" in failed.stderr
