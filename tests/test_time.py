"""Time in whole jobs: policies and what the summary says of them, live inputs, order of outputs."""

import itertools
import json
import os
import threading

import pytest

import streamql
from streamql import instants

WINDOW = "SELECT COUNT(*) AS n, System.Timestamp() AS t FROM input TIMESTAMP BY t GROUP BY "
EVENTS = [
    {"t": "2024-01-01T00:00:10Z", "$a": "2024-01-01T00:00:10Z"},
    {"t": "2024-01-01T00:00:01Z", "$a": "2024-01-01T00:00:11Z"},
    {"t": "2023-12-29T00:00:01Z", "$a": "2024-01-01T00:00:11Z"},
    {"t": "2034-12-29T00:00:01Z", "$a": "2024-01-01T00:00:12Z"},
    {"t": "2024-01-01T00:00:10.5Z", "$a": "2024-01-01T00:00:12Z"},
]


def summary(query, events, folder, **settings):
    """Run a query over events in a file; return its rows and what the summary says of time."""
    file = folder / "events.jsonl"
    file.write_text("".join(json.dumps(e) + "\n" for e in events))
    with streamql.Engine(arrival_field="$a", **settings) as engine:
        engine.register_uri("input", str(file))
        out = folder / "out.jsonl"
        told = engine.job(query, outputs={"output": str(out)}).run().sentences()
    return [json.loads(line) for line in out.read_text().splitlines()], told[1:]


@pytest.mark.parametrize(
    ("settings", "counts", "sentences"),
    [
        ({}, {"00:00:05": 1, "00:00:10": 1, "00:00:15": 1}, []),
        (
            {"late_arrival": "5s"},
            {"00:00:10": 3, "00:00:15": 1},
            [
                "1 of 5 events of input more than 5 min before their arrival, dropped; "
                "the worst by 10 years 364 days",
                "2 of 5 events of input late by more than 5 s, moved to what is allowed; "
                "the worst by 3 days",
                "2 of 5 events of input out of order by more than 0 s, moved to what is allowed; "
                "the worst by 4 s",
            ],
        ),
        (
            {"late_arrival": "5s", "policy": "drop"},
            {"00:00:10": 1, "00:00:15": 1},
            [
                "1 of 5 events of input more than 5 min before their arrival, dropped; "
                "the worst by 10 years 364 days",
                "2 of 5 events of input late by more than 5 s, dropped; the worst by 3 days",
            ],
        ),
        (
            {"late_arrival": "20.00:00:00", "out_of_order": "8s", "policy": "drop"},
            {"00:00:10": 1, "00:00:15": 1},
            [
                "1 of 5 events of input more than 5 min before their arrival, dropped; "
                "the worst by 10 years 364 days",
                "2 of 5 events of input out of order by more than 8 s, dropped; "
                "the worst by 3 days",
            ],
        ),
    ],
)
def test_what_policies_do_is_told(tmp_path, settings, counts, sentences):
    rows, told = summary(WINDOW + "TumblingWindow(second, 5)", EVENTS, tmp_path, **settings)
    found = {row["t"][11:19]: row["n"] for row in rows if row["t"].startswith("2024")}
    assert found == counts
    assert told == sentences


def test_one_clock_far_ahead_does_not_sink_the_others(tmp_path):
    ahead = [{"t": "2034-01-01T00:00:00Z", "$a": "2024-01-01T00:00:00Z"}]
    others = [{"t": f"2024-01-01T00:00:{s:02}Z", "$a": f"2024-01-01T00:00:{s:02}Z"} for s in (1, 2)]
    query = "SELECT t FROM input TIMESTAMP BY t"
    rows, _ = summary(query, ahead + others, tmp_path, late_arrival="5s", policy="drop")
    assert [row["t"] for row in rows] == [e["t"] for e in others]


SNAPSHOTS = (
    "SELECT COUNT(*) AS k, System.Timestamp() AS t FROM input TIMESTAMP BY at "
    "GROUP BY System.Timestamp()"
)
LIVE = [
    ("SELECT k, System.Timestamp() AS t FROM input", False, [["a", 0], ["b", 0]]),
    ("SELECT k, System.Timestamp() AS t FROM input", True, [["a", 0], ["b", 0]]),
    (
        "SELECT k, System.Timestamp() AS t FROM input TIMESTAMP BY at",
        False,
        [["a", -30], ["b", -30]],
    ),
    (
        "SELECT k, System.Timestamp() AS t FROM input TIMESTAMP BY at",
        True,
        [["a", -30], ["b", -40]],
    ),
    (SNAPSHOTS, False, [[2, -30]]),
    (SNAPSHOTS, True, [[1, -40], [1, -30]]),
]


@pytest.mark.parametrize(("query", "replay", "expected"), LIVE)
def test_events_of_a_pipe_arrive_by_the_clock(query, replay, expected):
    """Without settings a pipe's late events are moved to its latest time; a replay sorts them."""
    now = instants.parse_one("2024-01-01T00:01:00Z")
    read, write = os.pipe()
    os.write(write, b'{"k":"a","at":"2024-01-01T00:00:30Z"}\n')
    os.write(write, b'{"k":"b","at":"2024-01-01T00:00:20Z"}\n')
    os.close(write)
    with streamql.Engine(now=lambda: now, replay=replay) as engine:
        engine.register_uri("input", f"/dev/fd/{read}?format=json")
        rows = list(engine.sql(query))
    os.close(read)
    assert [[r["k"], round(r["t"].timestamp() - now / 10_000_000)] for r in rows] == expected


ORDERED = [
    "SELECT k, System.Timestamp() AS t FROM a TIMESTAMP BY t UNION "
    "SELECT k, System.Timestamp() AS t FROM b TIMESTAMP BY t",
    "SELECT k, System.Timestamp() AS t INTO o FROM a TIMESTAMP BY t "
    "SELECT k, System.Timestamp() AS t INTO o FROM b TIMESTAMP BY t",
]


@pytest.mark.parametrize("query", ORDERED)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_outputs_are_in_order_of_time_then_of_the_statements(query, size):
    with streamql.Engine() as engine:
        engine.cut = itertools.repeat(size)
        for name, seconds in (("a", [3, 1, 2]), ("b", [2, 3, 1])):
            events = [{"k": f"{name}{s}", "t": f"2024-01-01T00:00:0{s}Z"} for s in seconds]
            engine.register(name, events)
        assert [r["k"] for r in engine.sql(query)] == ["a1", "b1", "a2", "b2", "a3", "b3"]


SILENT = (
    "SELECT l.k FROM a l TIMESTAMP BY t LEFT JOIN b r TIMESTAMP BY t "
    "ON DATEDIFF(second, l, r) BETWEEN 0 AND 5"
)


def test_an_input_that_ends_at_once_holds_nothing_back():
    with streamql.Engine() as engine:
        engine.register("a", [{"k": 1, "t": "2024-01-01T00:00:01Z"}])
        engine.register("b", [])
        assert list(engine.sql(SILENT)) == [{"k": 1}]


def test_a_silent_input_does_not_hold_the_other_back():
    """The clock alone tells that nothing older can come from an input that is open and silent."""
    start = instants.parse_one("2024-01-01T00:00:00Z")
    clock = itertools.count(start, 5_000_000)  # half a second each time somebody looks
    pipes = [os.pipe() for _ in "ab"]
    os.write(pipes[0][1], b'{"k":"first","t":"2024-01-01T00:00:00Z"}\n')
    query = "SELECT k FROM a TIMESTAMP BY t UNION SELECT k FROM b TIMESTAMP BY t"
    with streamql.Engine(now=lambda: next(clock), late_arrival="1s") as engine:
        for name, (read, _) in zip("ab", pipes, strict=True):
            engine.register_uri(name, f"/dev/fd/{read}?format=json")
        rows = iter(engine.sql(query))
        found = []
        waiting = threading.Thread(target=lambda: found.append(next(rows)), daemon=True)
        waiting.start()
        waiting.join(timeout=30)
        held_back = waiting.is_alive()
        for _, write in pipes:
            os.close(write)
        assert not held_back
        assert found == [{"k": "first"}]
        assert list(rows) == []
    for read, _ in pipes:
        os.close(read)
