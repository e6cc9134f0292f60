"""Every event is used, or dropped for a reason that is counted, and kept where it shall be."""

from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql import Engine
from streamql.errors import UsageError

COUNT = "SELECT COUNT(*) AS n INTO o FROM i TIMESTAMP BY t GROUP BY TumblingWindow(second, 10)"
TABLE = "CREATE TABLE i (t datetime, a bigint); "
QUERIES = {
    "as they come": "SELECT a INTO o FROM i",
    "by a time": "SELECT a INTO o FROM i TIMESTAMP BY t",
    "windows": COUNT,
    "declared": TABLE + "SELECT a INTO o FROM i TIMESTAMP BY t",
    "filtered": "SELECT a INTO o FROM i TIMESTAMP BY t WHERE a > 3",
    "by key": "SELECT a, LAG(a) OVER (LIMIT DURATION(minute, 1)) AS b INTO o FROM i TIMESTAMP BY t OVER a",
    "two times": "SELECT a INTO o FROM i TIMESTAMP BY t SELECT a INTO p FROM i TIMESTAMP BY u",
    "with itself": "SELECT x.a INTO o FROM i x TIMESTAMP BY t JOIN i y TIMESTAMP BY t "
    "ON DATEDIFF(second, x, y) BETWEEN 0 AND 5 AND x.a = y.a",
}
POLICIES = [
    {},
    {"out_of_order": "3s"},
    {"late_arrival": "5s", "policy": "drop"},
    {"late_arrival": "5s", "out_of_order": "2s", "policy": "drop"},
    {"late_arrival": "5s", "policy": "adjust"},
]


def stamp(second):
    return f"2024-05-01T00:{second // 60 % 60:02}:{second % 60:02}Z"


def event(draw):
    """One line: most often an event, else one of the things that are dropped."""
    at = draw.randrange(60)
    time = {
        "t": stamp(at),
        "u": stamp(draw.randrange(600)),
        "arrived": stamp(at + draw.choice([0, 1, 9, -400 % 3600])),
    }
    return draw.choice(
        [
            json.dumps({**time, "a": draw.randrange(9)}),
            json.dumps({**time, "a": draw.randrange(9)}),
            json.dumps({**time, "a": "x"}),
            json.dumps({**time, "t": "yesterday", "a": 1}),
            json.dumps({"a": 1}),
            json.dumps({**time, "a": None}),
            '{"a":',
            "[1]",
            "\0",
            "",
        ]
    )


def run(tmp_path, query, text, cut=None, restart=False, **overrides):
    file = tmp_path / "i.jsonl"
    file.write_text(text)
    with Engine(arrival_field="arrived", **overrides) as engine:
        engine.cut, engine.restart = cut, restart
        engine.register_uri("i", str(file))
        outputs = {"o": str(tmp_path / "o.jsonl")}
        job = engine.job(query, outputs=outputs, default_output=str(tmp_path / "p.jsonl"))
        return job.run()


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=8)
@given(st.randoms(use_true_random=False), st.sampled_from(POLICIES))
def test_accounts_add_up(tmp_path_factory, name, draw, policy):
    tmp_path = tmp_path_factory.mktemp("accounts")
    lines = [event(draw) for _ in range(draw.randrange(60))]
    text = "".join(line + "\n" for line in lines)
    there = sum(1 for line in lines if line)
    found = []
    cuts = (None, itertools.repeat(1), iter(lambda: draw.randrange(1, 9), None))
    for cut in cuts:
        (tmp_path / "dead").unlink(missing_ok=True)
        options = {**policy, "input_errors": "dead_letter", "dead_letters": str(tmp_path / "dead")}
        summary = run(tmp_path, QUERIES[name], text, cut, cut is not None, **options)
        account = summary.accounts()["i"]
        assert account.missing == 0
        assert account.events == there
        dead = tmp_path / "dead"
        letters = dead.read_text().splitlines() if dead.exists() else []
        assert len(letters) == account.dead_letters == sum(account.dropped.values())
        found.append(account)
    assert found[0] == found[1] == found[2]


def test_accounts_say_why_events_were_dropped(tmp_path):
    text = "\n".join(
        [
            '{"a":1,"t":"2024-05-01T00:00:00Z","arrived":"2024-05-01T00:00:00Z"}',
            '{"a":',
            '{"a":"x","t":"2024-05-01T00:00:00Z"}',
            '{"a":2,"t":"today"}',
            '{"a":3,"t":"2024-05-01T00:10:00Z","arrived":"2024-05-01T00:00:00Z"}',
            '{"a":4,"t":"2024-05-01T00:00:10Z","arrived":"2024-05-01T00:00:16Z"}',
            '{"a":5,"t":"2024-05-01T00:00:20Z","arrived":"2024-05-01T00:00:20Z"}',
            '{"a":6,"t":"2024-05-01T00:00:16Z","arrived":"2024-05-01T00:00:20Z"}',
        ]
    )
    dead = tmp_path / "dead"
    summary = run(
        tmp_path,
        "CREATE TABLE i (a bigint, t nvarchar(max)); SELECT a INTO o FROM i TIMESTAMP BY t",
        text,
        late_arrival="5s",
        out_of_order="2s",
        policy="drop",
        input_errors="dead_letter",
        dead_letters=str(dead),
    )
    account = summary.accounts()["i"]
    reasons = ("malformed", "unfit", "invalid_time", "early", "late", "out_of_order")
    assert dict(account.dropped) == dict.fromkeys(reasons, 1)
    assert (account.events, account.used, account.dead_letters, account.missing) == (8, 2, 6, 0)
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    assert {letter["event"]: letter["reason"] for letter in letters} == {
        2: letters[0]["reason"],
        3: 'column a is bigint, found "x" of type nvarchar(max)',
        4: "no valid time, or no key, for TIMESTAMP BY",
        5: "dated more than 5 min after its arrival",
        6: "late by more than 5 s",
        8: "out of order by more than 2 s",
    }
    assert letters[0]["line"] == 2
    assert letters[0]["text"] == '{"a":'
    assert all(letter["kind"] == "input" and letter["input"] == "i" for letter in letters)
    assert all(letter["time"].endswith("Z") for letter in letters)


def test_a_dead_letter_names_the_file_and_keeps_the_bytes_that_are_there(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text('{"a":1}\n')
    (tmp_path / "in" / "b.jsonl").write_bytes(b'{"a":2}\n\xff\x00\n')
    dead = tmp_path / "dead"
    with Engine(input_errors="dead_letter", dead_letters=str(dead)) as engine:
        engine.register_uri("i", str(tmp_path / "in"))
        assert len(engine.sql("SELECT a FROM i").fetchall()) == 2
    letter = json.loads(dead.read_text())
    assert letter["file"] == str(tmp_path / "in" / "b.jsonl")
    assert (letter["event"], letter["line"], letter["text"]) == (3, 2, "\ufffd\0")


def test_dead_letters_need_a_place():
    with pytest.raises(UsageError, match="needs a place"):
        Engine(input_errors="dead_letter")


@pytest.mark.parametrize("name", ["e.jsonl", "e.csv"])
def test_an_event_beyond_the_limit_is_malformed_and_the_next_is_good(tmp_path, name):
    wall = random.Random(1).randbytes(4000).hex()
    texts = {
        "e.jsonl": f'{{"a":"1"}}\n{{"a":"{wall}"}}\n{{"a":"3"}}\n',
        "e.csv": f"a\n1\n{wall}\n3\n",
    }
    (tmp_path / name).write_text(texts[name])
    with Engine(max_event_bytes="2KB") as engine:
        engine.register_uri("i", str(tmp_path / name))
        job = engine.job("SELECT a INTO o FROM i", default_output=str(tmp_path / "o.jsonl"))
        summary = job.run()
    assert (tmp_path / "o.jsonl").read_text() == '{"a":"1"}\n{"a":"3"}\n'
    assert summary.inputs["i"].first_bad.reason.startswith("longer than 2,000 bytes")
    assert summary.inputs["i"].first_bad.event == 2
