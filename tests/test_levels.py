"""Compatibility levels: every row of the table in which what a query gives depends on the level."""

import itertools
import json

import pyarrow as pa
import pytest

import streamql
from streamql.errors import BindError

LEVELS = ("1.0", "1.1", "1.2")


@pytest.fixture(params=["in one batch", "one by one"])
def cut(request):
    return itertools.repeat(1) if request.param == "one by one" else None


def rows_of(query, source, level, cut=None):
    with streamql.Engine(compatibility_level=level) as engine:
        engine.cut = cut
        engine.register("r", source)
        engine.javascript("keys", "function keys(r) { return Object.keys(r).join(); }")
        engine.javascript("twice", "function twice(x) { return x * 2; }")
        return engine.sql(query).fetchall()


EVENTS = [{"deviceId": "d", "Deep": {"In": [{"X": 1}]}}]
NAMES = [
    ("SELECT deviceId, Deep AS D FROM r", ["deviceId", "D"]),
    ("SELECT * FROM r", ["deviceId", "Deep"]),
    ("SELECT r.* FROM r", ["deviceId", "Deep"]),
    ("SELECT Deep.* FROM r", ["In"]),
    ("SELECT Deep.In FROM r", ["In"]),
    ("SELECT UPPER(deviceId) FROM r", ["UPPER"]),
    ("SELECT LEN(deviceId) + 1 FROM r", ["Column1"]),
    ("WITH S AS (SELECT deviceId AS Id FROM r) SELECT *, ID AS I2 FROM S", ["Id", "I2"]),
    ("SELECT E.* FROM r CROSS APPLY GetArrayElements(Deep.In) AS E", ["ArrayIndex", "ArrayValue"]),
    ("SELECT * FROM r CROSS APPLY GetArrayElements(Deep.In) AS E", ["deviceId", "Deep", "E"]),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("query", "names"), NAMES)
def test_names_of_columns(query, names, level, cut):
    found = list(rows_of(query, EVENTS, level, cut)[0])
    assert found == ([n.lower() for n in names] if level == "1.0" else names)


@pytest.mark.parametrize("level", LEVELS)
def test_names_of_columns_of_a_table(level, cut):
    table = pa.table({"deviceId": ["d"], "Temp": [1]})
    found = list(rows_of("SELECT * FROM r", table, level, cut)[0])
    assert found == (["deviceid", "temp"] if level == "1.0" else ["deviceId", "Temp"])


@pytest.mark.parametrize("level", LEVELS)
def test_names_inside_of_values(level, cut):
    query = "SELECT Deep AS d, udf.keys(r) AS k, GetRecordPropertyValue(Deep, 'In') AS v FROM r"
    found = rows_of(query, EVENTS, level, cut)[0]
    if level == "1.0":
        assert found == {"d": {"in": [{"x": 1}]}, "k": "deviceid,deep", "v": [{"x": 1}]}
    else:
        assert found == {"d": {"In": [{"X": 1}]}, "k": "deviceId,Deep", "v": [{"X": 1}]}


@pytest.mark.parametrize("level", LEVELS)
def test_texts_keep_their_case(level, cut):
    assert rows_of("SELECT a FROM r", [{"a": "Abc"}], level, cut) == [{"a": "Abc"}]


# the types of JSON values at levels 1.0, 1.1, 1.2
VALUES = [
    ("2024-03-05T08:00:00Z", ("datetime", "nvarchar(max)", "nvarchar(max)")),
    ("2024-03-05T08:00:00.1234567+02:00", ("datetime", "nvarchar(max)", "nvarchar(max)")),
    ("2024-13-05T08:00:00Z", ("nvarchar(max)",) * 3),
    ("at 2024-03-05T08:00:00Z", ("nvarchar(max)",) * 3),
    ("12", ("nvarchar(max)",) * 3),
    (True, ("bigint", "bigint", "bit")),
    (1, ("bigint",) * 3),
    (1.0, ("float",) * 3),
]


@pytest.mark.parametrize("number", range(3), ids=LEVELS)
@pytest.mark.parametrize(("value", "kinds"), VALUES)
def test_types_of_json_values(value, kinds, number, cut):
    events = [{"a": value, "q": {"b": [value]}}, {"a": 7, "q": None}, {"a": "x"}]
    query = "SELECT GetType(a) AS a, GetType(GetArrayElement(q.b, 0)) AS b FROM r"
    found = rows_of(query, events, LEVELS[number], cut)
    assert found[0] == {"a": kinds[number], "b": kinds[number]}
    assert [row["a"] for row in found[1:]] == ["bigint", "nvarchar(max)"]


@pytest.mark.parametrize("level", LEVELS)
def test_texts_of_csv_stay_texts(tmp_path, level, cut):
    file = tmp_path / "r.csv"
    file.write_text("At,flag\n2024-03-05T08:00:00Z,true\n")
    query = "SELECT *, GetType(At) AS a, GetType(flag) AS f, udf.keys(r) AS k FROM r"
    found = rows_of(query, str(file), level, cut)[0]
    names = "at" if level == "1.0" else "At"
    assert found == {
        names: "2024-03-05T08:00:00Z",
        "flag": "true",
        "a": "nvarchar(max)",
        "f": "nvarchar(max)",
        "k": f"{names},flag",
    }


@pytest.mark.parametrize("level", LEVELS)
def test_datetimes_inside_of_values_are_written_as_text(tmp_path, level):
    file = tmp_path / "r.jsonl"
    file.write_text(json.dumps({"a": ["2024-03-05T10:00:00+02:00", True]}))
    found = tmp_path / "out.jsonl"
    with streamql.Engine(compatibility_level=level) as engine:
        engine.register("r", str(file))
        engine.job("SELECT a FROM r", outputs={"output": str(found)}).run()
    expected = {
        "1.0": ["2024-03-05T08:00:00.0000000Z", 1],
        "1.1": ["2024-03-05T10:00:00+02:00", 1],
        "1.2": ["2024-03-05T10:00:00+02:00", True],
    }
    assert json.loads(found.read_text()) == {"a": expected[level]}


CALLS = [
    ("ABS(-2)", "mine.ABS(-2)"),
    ("ABS(-2)", "system.ABS(-2)"),
    ("udf.twice(1)", "system.twice(1)"),
    ("udf.twice(1)", "mine.twice(1)"),
    ("COALESCE(NULL, 2)", "mine.COALESCE(NULL, 2)"),
    ("DAY('2024-03-02')", "mine.DAY('2024-03-02')"),
    ("DATEPART(day, '2024-03-02')", "mine.DATEPART(day, '2024-03-02')"),
]


@pytest.mark.parametrize(("right", "wrong"), CALLS)
def test_prefixes_are_strict_from_level_12_on(right, wrong):
    for level in LEVELS:
        assert rows_of(f"SELECT {right} AS x FROM r", [{}], level) == [{"x": 2}]
    for level in ("1.0", "1.1"):
        assert rows_of(f"SELECT {wrong} AS x FROM r", [{}], level) == [{"x": 2}]
    with pytest.raises(BindError, match=r"there is no") as caught:
        rows_of(f"SELECT {wrong} AS x FROM r", [{}], "1.2")
    assert caught.value.span is not None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("call", ["mine.nothing(1)", "system.nothing(1)"])
def test_unknown_functions_are_unknown_at_each_level(call, level):
    with pytest.raises(BindError, match="there is no"):
        rows_of(f"SELECT {call} AS x FROM r", [{}], level)


@pytest.mark.parametrize("level", LEVELS)
def test_a_prefix_does_not_hide_the_systems_own_functions(level):
    query = "SELECT DATEDIFF(day, System.Timestamp(), SYSTEM.TIMESTAMP()) AS x FROM r"
    assert rows_of(query, [{"a": 1}], level) == [{"x": 0}]
