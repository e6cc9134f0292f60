"""CREATE TABLE: which events it keeps, what it makes of their values, and what it refuses."""

import itertools
import json

import pyarrow as pa
import pytest

import streamql
from streamql.errors import BindError, DataError

CUTS = {"in one batch": None, "one by one": 1}


@pytest.fixture(params=CUTS)
def cut(request):
    size = CUTS[request.param]
    return None if size is None else itertools.repeat(size)


def rows_of(query, source, cut=None, **settings):
    """Run a query over the input `r`, given as rows or a file; return its rows."""
    with streamql.Engine(**settings) as engine:
        engine.cut = cut
        engine.register("r", source)
        return engine.sql(query).fetchall()


def written(folder, suffix, text):
    path = folder / f"r{suffix}"
    path.write_text(text, encoding="utf-8")
    return str(path)


# what a JSON value is in a column of a type: (level, type, value, what it becomes); DROPPED: the
# event is no row
DROPPED = object()
MOMENT = "2024-03-05T08:00:00.0000000Z"
JSON_VALUES = [
    ("1.2", "bigint", 12, 12),
    ("1.2", "bigint", 9223372036854775807, 9223372036854775807),
    ("1.2", "bigint", "12", DROPPED),
    ("1.2", "bigint", 1.0, DROPPED),
    ("1.2", "bigint", 1.5, DROPPED),
    ("1.2", "bigint", True, DROPPED),
    ("1.1", "bigint", True, 1),
    ("1.2", "bigint", None, None),
    ("1.2", "float", 2.5, 2.5),
    ("1.2", "float", 4, 4.0),
    ("1.2", "float", 9223372036854775807, 9223372036854775807.0),
    ("1.2", "float", "2.5", DROPPED),
    ("1.2", "float", "NaN", DROPPED),
    ("1.1", "float", "NaN", DROPPED),
    ("1.0", "float", "NaN", None),
    ("1.0", "float", "-Infinity", None),
    ("1.0", "float", "nano", DROPPED),
    ("1.2", "float", [1.5], DROPPED),
    ("1.2", "nvarchar(max)", "x", "x"),
    ("1.2", "nvarchar(max)", "", ""),
    ("1.2", "nvarchar(max)", 12, DROPPED),
    ("1.2", "nvarchar(max)", {"a": 1}, DROPPED),
    ("1.0", "nvarchar(max)", "2024-03-05T10:00:00+02:00", "2024-03-05T10:00:00+02:00"),
    ("1.2", "datetime", "2024-03-05T10:00:00+02:00", MOMENT),
    ("1.1", "datetime", "2024-03-05T08:00:00Z", MOMENT),
    ("1.0", "datetime", "2024-03-05T08:00:00Z", MOMENT),
    ("1.0", "datetime", "2024-03-05", "2024-03-05T00:00:00.0000000Z"),
    ("1.2", "datetime", "yesterday", DROPPED),
    ("1.2", "datetime", 1709625600, DROPPED),
    ("1.2", "bit", True, True),
    ("1.2", "bit", False, False),
    ("1.2", "bit", 1, DROPPED),
    ("1.2", "bit", "true", DROPPED),
    ("1.1", "bit", True, 1),
    ("1.1", "bit", 0, 0),
    ("1.1", "bit", 2, DROPPED),
    ("1.2", "record", {"A": {"b": True}}, {"A": {"b": True}}),
    ("1.1", "record", {"A": {"b": True}}, {"A": {"b": 1}}),
    ("1.0", "record", {"A": {"b": True}}, {"a": {"b": 1}}),
    ("1.2", "record", [1], DROPPED),
    ("1.2", "record", "{}", DROPPED),
    ("1.2", "array", [1, "x", None], [1, "x", None]),
    ("1.2", "array", {}, DROPPED),
]


@pytest.mark.parametrize(("level", "kind", "value", "becomes"), JSON_VALUES)
def test_values_of_json(tmp_path, cut, level, kind, value, becomes):
    # beside events that fit and of which the column's storage may differ
    events = [{"id": 1, "c": value}, {"id": 2}, {"id": 3, "c": value}, {"id": 4, "c": None}]
    file = written(tmp_path, ".jsonl", "\n".join(map(json.dumps, events)))
    query = f"CREATE TABLE r (id bigint, c {kind}); SELECT id, c, GetType(c) AS kind FROM r"
    path = tmp_path / "out.jsonl"
    with streamql.Engine(compatibility_level=level) as engine:
        engine.cut = cut
        engine.register("r", file)
        engine.job(query, outputs={"output": str(path)}).run()
    found = {row["id"]: row for row in map(json.loads, path.read_text().splitlines())}
    assert sorted(found) == ([2, 4] if becomes is DROPPED else [1, 2, 3, 4])
    assert found[2]["c"] is None
    if becomes is DROPPED:
        return
    assert found[1]["c"] == becomes
    assert type(found[1]["c"]) is type(becomes)
    named = "bigint" if kind == "bit" and level != "1.2" else kind
    assert found[3]["kind"] == (None if becomes is None else named)


CSV_VALUES = [
    ("1.2", "bigint", "12", 12),
    ("1.2", "bigint", "x", DROPPED),
    ("1.2", "bigint", "1.5", DROPPED),
    ("1.2", "bigint", "9223372036854775808", DROPPED),
    ("1.2", "bigint", "", None),
    ("1.2", "bigint", '""', DROPPED),
    ("1.2", "float", "2.5", 2.5),
    ("1.2", "float", "1e3", 1000.0),
    ("1.2", "float", "NaN", DROPPED),
    ("1.1", "float", "Infinity", DROPPED),
    ("1.0", "float", "NaN", None),
    ("1.2", "nvarchar(max)", "12", "12"),
    ("1.2", "nvarchar(max)", '""', ""),
    ("1.0", "nvarchar(max)", "2024-03-05T08:00:00Z", "2024-03-05T08:00:00Z"),
    ("1.2", "datetime", "2024-03-05T08:00:00Z", MOMENT),
    ("1.2", "datetime", "05.03.2024", DROPPED),
    ("1.2", "bit", "true", True),
    ("1.2", "bit", "FALSE", False),
    ("1.2", "bit", "null", None),
    ("1.2", "bit", "1", DROPPED),
    ("1.1", "bit", "true", 1),
    ("1.2", "record", "{}", DROPPED),
    ("1.2", "array", "", None),
]


@pytest.mark.parametrize(("level", "kind", "text", "becomes"), CSV_VALUES)
def test_values_of_csv(tmp_path, cut, level, kind, text, becomes):
    file = written(tmp_path, ".csv", f"c,id\n{text},1\n,2\n")
    query = f"CREATE TABLE r (id bigint, c {kind}); SELECT id, c, GetType(c) AS kind FROM r"
    path = tmp_path / "out.jsonl"
    with streamql.Engine(compatibility_level=level) as engine:
        engine.cut = cut
        engine.register("r", file)
        engine.job(query, outputs={"output": str(path)}).run()
    found = {row["id"]: row for row in map(json.loads, path.read_text().splitlines())}
    assert sorted(found) == ([2] if becomes is DROPPED else [1, 2])
    if becomes is not DROPPED:
        assert found[1]["c"] == becomes
        assert type(found[1]["c"]) is type(becomes)
        named = "bigint" if kind == "bit" and level != "1.2" else kind
        assert found[1]["kind"] == (None if becomes is None else named)


def test_the_declared_columns_are_all_there_is(cut):
    events = [{"ID": 1, "v": "x", "more": 5}, {"id": 2}]
    query = "CREATE TABLE r (Id bigint, V nvarchar(max)) SELECT * FROM r"
    assert rows_of(query, events, cut) == [{"Id": 1, "V": "x"}, {"Id": 2, "V": None}]


def test_a_row_as_a_value_has_the_declared_fields(cut):
    with streamql.Engine() as engine:
        engine.cut = cut
        engine.register("r", [{"id": 1, "more": 5}, {"id": "x"}])
        engine.javascript("keys", "function keys(r) { return Object.keys(r).join(); }")
        found = engine.sql("CREATE TABLE r (id bigint, f float) SELECT udf.keys(r) AS k FROM r")
        assert found.fetchall() == [{"k": "id,f"}]


def test_the_schema_holds_wherever_the_input_is_read(cut):
    query = """
        CREATE TABLE r (id bigint, at datetime);
        WITH s AS (SELECT id, System.Timestamp() AS t FROM r TIMESTAMP BY at)
        SELECT id, t FROM s
        SELECT id INTO other FROM R AS x WHERE x.id > 1
    """
    events = [{"id": i, "at": f"2024-03-05T08:00:0{i}Z"} for i in (1, 2)]
    events.insert(1, {"id": 8, "at": "soon"})
    events.append({"id": 9, "at": None})
    with streamql.Engine() as engine:
        engine.cut = cut
        engine.register("r", events)
        result = engine.sql(query)
        assert [row["id"] for row in result.output("output").fetchall()] == [1, 2]
        assert result.output("other").fetchall() == [{"id": 2}, {"id": 9}]


def test_an_arrow_table_takes_the_declared_types(cut):
    table = pa.table({"id": [1, 2], "v": [1, 2], "t": pa.array([1, 2], pa.timestamp("s"))})
    query = "CREATE TABLE r (v float, t datetime, w bigint) SELECT v, GetType(t) AS k, w FROM r"
    found = rows_of(query, table, cut)
    assert found == [{"v": v, "k": "datetime", "w": None} for v in (1.0, 2.0)]


def test_a_column_that_csv_does_not_have_drops_all_events(tmp_path):
    file = written(tmp_path, ".csv", "id,v\n1,2\n2,3\n")
    with streamql.Engine() as engine:
        engine.register("r", file)
        job = engine.job(
            "CREATE TABLE r (id bigint, w float) SELECT id FROM r",
            output_dir=str(tmp_path / "out"),
        )
        summary = job.run()
    assert summary.rows == {"output": 0}
    assert summary.sentences()[1] == (
        "2 of 2 events of r malformed, skipped; the first: event 1: column w is missing"
    )


def test_a_file_without_header_has_numbered_columns(tmp_path):
    file = written(tmp_path, ".csv", "1,x\n2,y\n") + "?header=false"
    query = "CREATE TABLE r (column1 bigint, column2 nvarchar(max)) SELECT * FROM r"
    assert rows_of(query, file) == [
        {"column1": 1, "column2": "x"},
        {"column1": 2, "column2": "y"},
    ]


REASONS = [
    ('{"id": "x", "v": 1}', 'column id is bigint, found "x" of type nvarchar(max)'),
    ('{"id": 1, "v": true}', "column v is float, found true of type bit"),
    ('{"id": "x", "v": true}', 'column id is bigint, found "x" of type nvarchar(max)'),
    (
        '{"v": {"k":"' + "y" * 50 + '"}}',
        'column v is float, found {"k":"' + "y" * 34 + "... of type record",
    ),
]


@pytest.mark.parametrize(("event", "reason"), REASONS)
def test_dropped_events_are_counted_with_the_first_and_its_reason(tmp_path, cut, event, reason):
    lines = ['{"id": 1, "v": 1}', event, '{"v": "later"}', '{"id": 2}']
    file = written(tmp_path, ".jsonl", "\n".join(lines))
    with streamql.Engine() as engine:
        engine.cut = cut
        engine.register("r", file)
        query = "CREATE TABLE r (id bigint, v float) SELECT id FROM r"
        summary = engine.job(query, output_dir=str(tmp_path / "out")).run()
    assert (summary.events, summary.bad_events, summary.rows) == (4, 2, {"output": 2})
    line = summary.sentences()[1]
    assert line == f"2 of 4 events of r malformed, skipped; the first: event 2: {reason}"


def test_the_first_of_all_bad_events_is_told(tmp_path):
    lines = ['{"id": 1}', '{"id": "x"}', "no json", '{"id": 2}']
    for order, first in ((lines, "event 2"), ([lines[i] for i in (0, 2, 1, 3)], "event 2, line 2")):
        file = written(tmp_path, ".jsonl", "\n".join(order))
        with streamql.Engine() as engine:
            engine.register("r", file)
            query = "CREATE TABLE r (id bigint) SELECT id FROM r"
            summary = engine.job(query, output_dir=str(tmp_path / "out")).run()
        assert summary.bad_events == 2
        line = summary.sentences()[1]
        assert line.startswith(f"2 of 4 events of r malformed, skipped; the first: {first}")


def test_a_bad_value_stops_the_job_where_bad_events_do():
    query = "CREATE TABLE r (id bigint) SELECT id FROM r"
    with pytest.raises(DataError, match=r"found 1\.5 of type float") as caught:
        rows_of(query, [{"id": 1}, {"id": 1.5}], input_errors="fail")
    assert caught.value.event == 2


REFUSED = [
    ("CREATE TABLE r (id int) SELECT id FROM r", "int", "column id: unknown type int", "whole numbers have one type: bigint"),
    ("CREATE TABLE r (t nvarchar(10)) SELECT t FROM r", "nvarchar(10)", "column t: unknown type nvarchar(10)", "text has one type: nvarchar(max)"),
    ("CREATE TABLE r (a bigint, A float) SELECT a FROM r", "A", "two columns of r are named A", None),
    ("CREATE TABLE rr (a bigint) SELECT a FROM r", "rr", "CREATE TABLE declares an input, and there is no input rr", "did you mean r?"),
    ("CREATE TABLE r (a bigint) CREATE TABLE R (b bigint) SELECT a FROM r", "R", "a CREATE TABLE for r has been given already", "an input has one schema"),
    ("CREATE TABLE r (fare float) SELECT fair FROM r", "fair", "r has no column fair", "did you mean fare?"),
    ("CREATE TABLE r (fare float) SELECT tip FROM r", "tip", "r has no column tip", "CREATE TABLE declares fare"),
    ("CREATE TABLE r (fare float) SELECT x.tip FROM r AS x", "tip", "x has no column tip", "CREATE TABLE declares fare"),
    ("CREATE TABLE r (fare float) SELECT fare FROM r WHERE tip > 1", "tip", "r has no column tip", "CREATE TABLE declares fare"),
    ("CREATE TABLE r (n bigint) SELECT n FROM r TIMESTAMP BY n", "n", "TIMESTAMP BY needs a datetime, found bigint", None),
    ("CREATE TABLE r (t nvarchar(max)) SELECT ROUND(t, 1) AS x FROM r", "t", None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "place", "message", "hint"), REFUSED, ids=[r[0] for r in REFUSED]
)
def test_refused_with_place_and_hint(query, place, message, hint):
    with pytest.raises(BindError) as caught:
        rows_of(query, [])
    error = caught.value
    assert error.span is not None
    assert query[error.span.start : error.span.end] == place
    if message is not None:
        assert error.message == message
    if hint is not None:
        assert error.hint == hint
