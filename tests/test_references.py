"""Joins with reference data: which rows match, which version is valid, and what changed files do."""

import json
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import streamql
from streamql.batch import MAIN, Batch
from streamql.column import from_values
from streamql.connectors.memory import MemorySource
from streamql.connectors.versions import OneVersion
from streamql.errors import DataError, Span, UsageError
from streamql.expressions.nodes import CALLS, Call, Cast, Field
from streamql.functions.comparison import COMPARISONS
from streamql.plan.nodes import Lookup, Scan
from streamql.rows import ColumnRows
from streamql.runtime.operators import lookup
from streamql.runtime.operators.lookup import LookupOperator
from streamql.runtime.references import ReferenceData
from streamql.settings import Settings
from streamql.types import Type

NOWHERE = Span(0, 0)
ROWS = [
    {"k": 1, "t": "a", "site": "north", "low": 10},
    {"k": 2, "t": "b", "site": "south", "low": 20},
    {"k": None, "t": "c", "site": "nowhere", "low": 30},
    {"k": 2, "t": "b", "site": "south-b", "low": 0},
]


def field(relation, *path):
    return Field(Type.ANY, NOWHERE, relation, path)


def keys(*names):
    return tuple((field("s", name), field("r", name)) for name in names)


def call(sign, left, right):
    return Call(Type.BIT, NOWHERE, COMPARISONS.functions[sign], (left, right))


ABOVE = call(">", field("s", "v"), field("r", "low"))


def stream(rows, times=None, **relations):
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {n: from_values([row.get(n) for row in rows]) for n in names}
    count = len(rows)
    main = ColumnRows(columns, count)
    ticks = np.arange(count) if times is None else np.array(times, np.int64)
    return Batch({MAIN: main, **relations}, ticks, np.arange(1, count + 1))


def data_of(rows, **settings):
    versions = OneVersion(MemorySource(rows))
    return ReferenceData("r", versions, Settings(**settings), pytest.fail)


def plan_of(on=(), condition=None, outer=False, left_key="s"):
    return Lookup(Scan("s"), "r", outer, left_key, "r", on, condition)


def joined(operator, *batches):
    """Return (event, time, key on the left, site on the right) of each row put out."""
    found = []
    for batch in batches:
        for out in operator.on_batch(batch, 0):
            sites = out.relations["r"].field(("site",)).to_pylist()
            left = out.relations["s"].field(("k",)).to_pylist()
            found += zip(out.events.tolist(), out.times.tolist(), left, sites, strict=True)
    return found


def sites(operator, *batches):
    return [(event, site) for event, _, _, site in joined(operator, *batches)]


MATCHES = {
    "one to many, in the order of the reference": (
        keys("k"),
        None,
        [{"k": 2}, {"k": 9}, {"k": 1}],
        [(1, "south"), (1, "south-b"), (3, "north")],
        [(1, "south"), (1, "south-b"), (2, None), (3, "north")],
    ),
    "NULL equals nothing": (keys("k"), None, [{"k": None}], [], [(1, None)]),
    "a float equals the bigint": (keys("k"), None, [{"k": 1.0}], [(1, "north")], [(1, "north")]),
    "a text does not equal the bigint": (keys("k"), None, [{"k": "1"}], [], [(1, None)]),
    "a missing field is NULL": (keys("k"), None, [{"v": 1}], [], [(1, None)]),
    "both keys must be equal": (
        keys("k", "t"),
        None,
        [{"k": 1, "t": "b"}, {"k": 1, "t": "a"}, {"k": 1, "t": None}],
        [(2, "north")],
        [(1, None), (2, "north"), (3, None)],
    ),
    "keys and a condition": (
        keys("k"),
        ABOVE,
        [{"k": 1, "v": 5}, {"k": 2, "v": 5}, {"k": 2, "v": None}],
        [(2, "south-b")],
        [(1, None), (2, "south-b"), (3, None)],
    ),
    "a condition alone": (
        (),
        ABOVE,
        [{"v": 0}, {"v": 15}, {"v": 99}],
        [(2, "north"), (2, "south-b"), *((3, row["site"]) for row in ROWS)],
        [(1, None), (2, "north"), (2, "south-b"), *((3, row["site"]) for row in ROWS)],
    ),
}


@pytest.mark.parametrize("pairs", [65_536, 3, 1])
@pytest.mark.parametrize("outer", [False, True], ids=["inner", "left"])
@pytest.mark.parametrize("name", MATCHES)
def test_matches(name, outer, pairs, monkeypatch):
    monkeypatch.setattr(lookup, "_PAIRS", pairs)
    on, condition, rows, inner, left = MATCHES[name]
    wanted = left if outer else inner
    plan = plan_of(on, condition, outer)
    whole = stream([{"k": None} | row for row in rows])
    assert sites(LookupOperator(plan, data_of(ROWS)), whole) == wanted
    single = [whole.take(np.array([i])) for i in range(whole.count)]
    assert sites(LookupOperator(plan, data_of(ROWS)), *single) == wanted


@pytest.mark.parametrize("outer", [False, True], ids=["inner", "left"])
def test_no_reference_rows(outer):
    wanted = [(1, None), (2, None)] if outer else []
    batch = stream([{"k": 1, "v": 99}, {"k": 2, "v": 99}])
    for on, condition in ((keys("k"), None), ((), ABOVE), ((), None)):
        operator = LookupOperator(plan_of(on, condition, outer), data_of([]))
        assert sites(operator, batch) == wanted


def test_a_miss_has_no_record_and_a_match_has_all_of_it():
    operator = LookupOperator(plan_of(keys("k"), outer=True), data_of(ROWS))
    (out,) = operator.on_batch(stream([{"k": 9}, {"k": 1}]), 0)
    whole = out.relations["r"].record().to_pylist()
    assert whole == [None, {"k": 1, "t": "a", "site": "north", "low": 10}]
    assert out.relations["r"].take(np.array([1, 0])).record().to_pylist() == [whole[1], None]


def test_events_keep_their_time_and_their_other_relations():
    calls = ColumnRows({"c0": from_values(["x", "y"])}, 2)
    operator = LookupOperator(plan_of(keys("k")), data_of(ROWS))
    batch = stream([{"k": 1}, {"k": 2}], [70, 50], **{CALLS: calls})
    (out,) = operator.on_batch(batch, 0)
    assert out.times.tolist() == [70, 50, 50]
    assert out.relations[CALLS].field(("c0",)).to_pylist() == ["x", "y", "y"]
    assert MAIN not in out.relations


def test_relations_of_an_earlier_join_stay():
    batch = stream([{"k": 1}, {"k": 9}])
    named = Batch({"s": batch.relations[MAIN]}, batch.times, batch.events)
    operator = LookupOperator(plan_of(keys("k"), left_key=None), data_of(ROWS))
    assert sites(operator, named) == [(1, "north")]


def test_an_error_in_a_reference_key_says_where_it_is():
    cast = Cast(Type.BIGINT, NOWHERE, field("r", "t"), False)
    operator = LookupOperator(plan_of(((field("s", "k"), cast),)), data_of(ROWS))
    with pytest.raises(DataError, match="in row 1 of the reference data r") as caught:
        list(operator.on_batch(stream([{"k": 1}]), 0))
    assert caught.value.event is None


def test_an_error_in_the_condition_names_the_event():
    failing = call("=", Cast(Type.BIGINT, NOWHERE, field("s", "v"), False), field("r", "low"))
    operator = LookupOperator(plan_of((), failing), data_of(ROWS))
    with pytest.raises(DataError) as caught:
        list(operator.on_batch(stream([{"v": "10"}, {"v": "x"}]), 0))
    assert caught.value.event == 2


# -- through the engine ---------------------------------------------------------------------

QUERY = "SELECT s.id, r.site FROM input s LEFT JOIN r ON s.k = r.k"
EVENTS = [{"id": 1, "k": 2}, {"id": 2, "k": 7}]
FOUND = [
    {"id": 1, "site": "south"},
    {"id": 1, "site": "south-b"},
    {"id": 2, "site": None},
]

GIVEN = {
    "list": lambda: ROWS,
    "rows of different shapes": lambda: [*ROWS, {"other": 1}],
    "table": lambda: pa.Table.from_pylist(ROWS),
    "reader": lambda: pa.Table.from_pylist(ROWS).to_reader(),
    "pandas": lambda: pd.DataFrame(ROWS),
    "iterator": lambda: iter(ROWS),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_data_given_in_python(kind):
    with streamql.Engine() as engine:
        engine.register("input", EVENTS)
        engine.register_reference("r", GIVEN[kind]())
        for _ in range(2):
            assert engine.sql(QUERY).fetchall() == FOUND


FILES = {
    "r.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "r.json": json.dumps(ROWS).encode(),
    "r.csv": b"k;site\n2;south\n2;south-b\n",
    "r.tsv": b"k\tsite\n2\tsouth\n2\tsouth-b\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    options = "?delimiter=;" if name == "r.csv" else ""
    with streamql.Engine() as engine:
        engine.register("input", EVENTS)
        engine.register_reference("r", str(tmp_path / name) + options)
        cast = QUERY.replace("r.k", "CAST(r.k AS bigint)")
        assert engine.sql(cast).fetchall() == FOUND


def test_values_of_csv_are_texts(tmp_path):
    (tmp_path / "r.csv").write_bytes(b"k,site\n2,south\n")
    with streamql.Engine() as engine:
        engine.register("input", [{"id": 1, "k": 2}, {"id": 2, "k": "2"}])
        engine.register_reference_uri("r", str(tmp_path / "r.csv"))
        found = engine.sql(QUERY).fetchall()
    assert found == [{"id": 1, "site": None}, {"id": 2, "site": "south"}]


def test_old_levels_see_reference_data_as_they_see_events():
    with streamql.Engine(compatibility_level="1.0") as engine:
        engine.register("input", [{"id": 1, "k": True}])
        engine.register_reference("r", [{"k": True, "Site": "x"}])
        query = "SELECT s.id, r AS r FROM input s JOIN r ON s.k = 1 AND r.k = s.k"
        assert engine.sql(query).fetchall() == [{"id": 1, "r": {"k": 1, "site": "x"}}]


def test_a_stream_join_after_a_reference_join():
    query = """
        SELECT a.id, r.site, b.id AS other
        FROM a TIMESTAMP BY at
        LEFT JOIN r ON a.k = r.k
        JOIN b TIMESTAMP BY at ON a.id = b.id AND DATEDIFF(second, a, b) BETWEEN 0 AND 5
    """
    at = "2024-03-05T08:00:00Z"
    with streamql.Engine() as engine:
        engine.register("a", [{"id": 1, "k": 1, "at": at}, {"id": 2, "k": 5, "at": at}])
        engine.register("b", [{"id": 1, "at": at}, {"id": 2, "at": at}])
        engine.register_reference("r", ROWS)
        found = engine.sql(query).fetchall()
    assert found == [
        {"id": 1, "site": "north", "other": 1},
        {"id": 2, "site": None, "other": 2},
    ]


def test_rows_of_a_reference_join_do_not_wait_for_the_end():
    gate = threading.Event()

    def events():
        yield {"id": 1, "k": 1, "at": "2024-03-05T08:00:00Z"}
        assert gate.wait(10)

    with streamql.Engine() as engine:
        engine.register("input", events())
        engine.register_reference("r", ROWS)
        rows = iter(engine.sql(QUERY.replace("input s", "input s TIMESTAMP BY at")))
        assert next(rows) == {"id": 1, "site": "north"}
        gate.set()
        assert next(rows, None) is None


def test_an_output_must_not_overwrite_reference_data(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"k": 1}\n')
    with streamql.Engine() as engine:
        engine.register("input", EVENTS)
        engine.register_reference_uri("r", str(path))
        with pytest.raises(UsageError, match="would overwrite the input r"):
            engine.job(QUERY, default_output=str(path))


def test_whole_reference_rows_are_records():
    query = "SELECT s.id, r AS r FROM input s LEFT JOIN r ON s.k = r.k"
    with streamql.Engine() as engine:
        engine.register("input", [{"id": 1, "k": 1}, {"id": 2, "k": 7}])
        engine.register_reference("r", ROWS)
        found = engine.sql(query).fetchall()
    assert found == [{"id": 1, "r": ROWS[0]}, {"id": 2, "r": None}]


REFERENCE = [
    {"k": 1, "n": "a", "all": [1, 2]},
    {"k": "x", "n": "b"},
    {"k": 3, "n": "c", "all": [5]},
]
STEPS = [
    (
        "WITH r AS (SELECT k AS id, UPPER(n) AS n FROM ref WHERE n <> 'c') "
        "SELECT i.k, r.n FROM input i LEFT JOIN r ON i.k = r.id",
        [{"k": 1, "n": "A"}, {"k": 3, "n": None}],
    ),
    (
        "WITH r AS (SELECT k, e.ArrayValue AS v FROM ref CROSS APPLY GetArrayElements(all) AS e), "
        "s AS (SELECT * FROM r WHERE v > 1) SELECT i.k, s.v FROM input i JOIN s ON i.k = s.k",
        [{"k": 1, "v": 2}, {"k": 3, "v": 5}],
    ),
    (
        "CREATE TABLE ref (k bigint, n nvarchar(max)); "
        "SELECT i.k, r.n FROM input i LEFT JOIN ref r ON i.k = r.k OR r.n = 'b'",
        [{"k": 1, "n": "a"}, {"k": 3, "n": "c"}],
    ),
]


@pytest.mark.parametrize(("query", "expected"), STEPS)
def test_steps_and_tables_of_reference_data(query, expected):
    """A WITH step over reference data alone may be joined; rows that misfit a table are left out."""
    with streamql.Engine() as engine:
        warnings = []
        engine.on_warning = warnings.append
        engine.register("input", [{"k": 1}, {"k": 3}])
        engine.register_reference("ref", REFERENCE)
        assert list(engine.sql(query)) == expected
    assert len(warnings) == query.startswith("CREATE")
