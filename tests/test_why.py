"""`streamql why`: what became of an event, and which events are behind a row."""

import json

import pytest
from click.testing import CliRunner

import streamql
from streamql.cli import main
from streamql.why.origins import origins_of
from streamql.why.runs import Runs

RIDES = [
    {"id": 1, "at": "2024-01-01T00:00:01Z", "zone": "a", "fare": 5},
    {"id": 2, "at": "2024-01-01T00:00:04Z", "zone": "b", "fare": 20},
    {"id": 3, "at": "2024-01-01T00:00:12Z", "zone": "a", "fare": 30},
    {"id": 4, "at": "2024-01-01T00:00:02Z", "zone": "a", "fare": 8},
    {"id": 5, "at": "not a time", "zone": "c", "fare": 8},
]
WINDOW = """SELECT zone, COUNT(*) AS n, MAX(fare) AS most, System.Timestamp() AS until
FROM rides TIMESTAMP BY at GROUP BY zone, TumblingWindow(second, 10)"""


@pytest.fixture
def rides(tmp_path):
    path = tmp_path / "rides.jsonl"
    lines = [json.dumps(row) for row in RIDES] + ["{broken"]
    path.write_text("\n".join(lines) + "\n")
    return path


def why(rides, query, *flags):
    found = CliRunner().invoke(main, ["why", "-q", query, "-i", f"rides={rides}", *flags])
    return found.exit_code, found.output


FATES = [
    # query, event, lines that the answer has
    (
        "SELECT id FROM rides WHERE fare > 10 AND zone = 'a'",
        1,
        ["ends here: fare > 10 is false", "fare is 5", "it changed no output"],
    ),
    (
        "SELECT id FROM rides WHERE fare > 10 AND zone = 'a'",
        2,
        ["ends here: zone = 'a' is false", 'zone is "b"'],
    ),
    ("SELECT id FROM rides WHERE nothing > 10", 2, ["nothing > 10 is unknown (NULL)"]),
    ("SELECT id FROM rides WHERE fare > 10", 3, ["rows of output because of it (+)", '"id":3']),
    (WINDOW, 4, ['"n":2', '"n":1', "would not be the same"]),
    (WINDOW, 5, ["it has no valid timestamp: dropped"]),
    (WINDOW, 6, ["event 6 of rides is malformed"]),
    (
        "SELECT MAX(fare) AS m FROM rides TIMESTAMP BY at GROUP BY TumblingWindow(minute, 1)",
        1,
        ["the results of its group are the same without it", "it changed no output"],
    ),
    (
        "SELECT a.id FROM rides a TIMESTAMP BY at JOIN rides b TIMESTAMP BY at "
        "ON DATEDIFF(second, a, b) BETWEEN 0 AND 3 AND a.id = b.fare",
        2,
        ["no row of the other side matches on", "id is 2"],
    ),
    (
        "SELECT e.ArrayValue AS v FROM rides CROSS APPLY GetArrayElements(rides.items) AS e",
        1,
        ["there are no elements in", "items is NULL"],
    ),
    (
        "CREATE TABLE rides (id bigint, zone bigint); SELECT id FROM rides",
        1,
        ["it does not fit what CREATE TABLE declares"],
    ),
]


@pytest.mark.parametrize(("query", "event", "said"), FATES)
def test_what_became_of_an_event(rides, query, event, said):
    code, text = why(rides, query, "--input-row", str(event))
    assert code == 0, text
    for line in said:
        assert line in text


@pytest.mark.parametrize(
    ("settings", "event", "said"),
    [
        (["out_of_order=2s", "policy=drop"], 4, "out of order by more than 2 s: dropped"),
        (["out_of_order=2s"], 4, "out of order by more than 2 s: moved to what is allowed"),
    ],
)
def test_what_a_time_policy_decided(rides, settings, event, said):
    flags = [flag for setting in settings for flag in ("--set", setting)]
    code, text = why(rides, WINDOW, "--input-row", str(event), *flags)
    assert code == 0, text
    assert said in text


ORIGINS = [
    ("SELECT id FROM rides WHERE fare > 10", "output:2", [3]),
    (WINDOW, "1", [1, 4]),
    (
        "SELECT id, LAG(id) OVER (LIMIT DURATION(minute, 1)) AS before FROM rides TIMESTAMP BY at",
        "4",
        [2, 3],
    ),
    (
        "SELECT a.id, b.id AS other FROM rides a TIMESTAMP BY at JOIN rides b TIMESTAMP BY at "
        "ON DATEDIFF(second, a, b) BETWEEN 1 AND 3 AND a.id < b.id",
        "1",
        [1, 4],
    ),
]


@pytest.mark.parametrize(("query", "row", "events"), ORIGINS)
def test_the_events_behind_a_row(rides, query, row, events):
    code, text = why(rides, query, "--output-row", row, "--json")
    assert code == 0, text
    found = json.loads(text)
    assert [e["first"] for e in found["events"]] == events
    assert [e["row"]["id"] for e in found["events"]] == events
    assert found["whole"] is True


def test_events_of_which_any_would_do_are_told_together():
    with streamql.Engine() as engine:
        engine.register("input", [{"k": 1, "v": v} for v in (7, 7, 1, 2)])
        script = "SELECT MAX(v) AS v FROM input GROUP BY TumblingWindow(day, 1)"
        runs = Runs(engine, script)
        (row,) = runs.rows({})["output"]
        found = origins_of(runs, "output", row, {"input": 4}, 20)
    assert [(e.first, e.last) for e in found.events] == [(1, 2)]


def test_a_search_ends_at_the_most_events(rides):
    code, text = why(rides, WINDOW, "--output-row", "1", "--most", "1")
    assert code == 0
    assert "and others: --most N looks for more" in text


def test_rows_of_a_model_have_origins(rides, tmp_path):
    script = tmp_path / "score.py"
    script.write_text(
        "import json\ndef init(): pass\ndef run(data): return json.loads(data)['data']\n"
    )
    query = "SELECT id, udf.score(zone) AS s FROM rides"
    flags = ["--function", f"score={script}", "--output-row", "2", "--json"]
    code, text = why(rides, query, *flags)
    assert code == 0, text
    assert [e["first"] for e in json.loads(text)["events"]] == [2]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "one of --input-row and --output-row is needed"),
        (["--input-row", "1", "--output-row", "1"], "one of --input-row and --output-row"),
        (["--input-row", "0"], "--input-row takes [NAME:]N with a number from 1, found '0'"),
        (["--input-row", "99"], "rides has 6 events, and number 99 is asked for"),
        (["--input-row", "ridse:1"], "did you mean rides?"),
        (["--output-row", "9"], "output has 2 rows, and number 9 is asked for"),
    ],
)
def test_what_does_not_fit_is_said(rides, flags, said):
    code, text = why(rides, "SELECT id FROM rides WHERE fare > 10", *flags)
    assert code == 2
    assert said in text


def test_an_input_that_is_read_once_is_refused():
    found = CliRunner().invoke(
        main, ["why", "-q", "SELECT * FROM a", "-i", "a=/dev/stdin", "--input-row", "1"], input=""
    )
    assert found.exit_code == 2
