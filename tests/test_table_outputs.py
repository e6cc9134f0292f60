"""Tables of SQLite and PostgreSQL as outputs: types, tables that are there, keys, errors."""

import json

import pyarrow as pa
import pytest
from table_outputs import MOMENT, ROW, Postgres, Sqlite, fill, write

from streamql.column import Column, from_values
from streamql.connectors.catalog import open_sink
from streamql.errors import OutputError, UsageError
from streamql.instants import parse_one
from streamql.types import Type


@pytest.fixture
def sqlite_place(tmp_path):
    return Sqlite(tmp_path / "a.db")


@pytest.fixture
def postgres_place(postgres):
    return Postgres(postgres, "tables")


@pytest.fixture(params=["sqlite_place", "postgres_place"])
def place(request):
    return request.getfixturevalue(request.param)


TEXTS = ["plain", "", None, "tab\tline\nreturn\rback\\slash \\N \\.", "ünï\U0001f697", '"quoted"']


def test_every_type_in_sqlite(sqlite_place):
    sink = sqlite_place.open()
    names = [*ROW, "d"]
    moments = Column(Type.DATETIME, pa.array([parse_one(MOMENT), parse_one("0001-01-01"), None]))
    sink.write(names, [*(from_values(v) for v in ROW.values()), moments])
    sink.close()
    kinds = dict(row[1:3] for row in sqlite_place.rows("PRAGMA table_info(t)"))
    assert kinds == dict.fromkeys("rlxnd", "TEXT") | {
        "i": "INTEGER",
        "f": "REAL",
        "m": "REAL",
        "b": "BOOLEAN",
    }
    found = dict(zip(names, zip(*sqlite_place.rows(), strict=True), strict=True))
    for name in ("i", "f", "m", "b", "n"):
        assert list(found[name]) == ROW[name]
    assert found["x"] == ("1", "two", '{"three":3}')
    for name in ("r", "l"):
        assert [v if v is None else json.loads(v) for v in found[name]] == ROW[name]
    assert found["d"] == (MOMENT, "0001-01-01T00:00:00.0000000Z", None)


def test_texts_arrive_as_they_are(place):
    fill(place, t=TEXTS)
    assert [t for (t,) in place.rows()] == TEXTS


def test_records_whose_fields_differ(place):
    sink = place.open()
    sink.write_records(pa.array(['{"a":1,"b":"x"}', '{"b":"y"}']))
    sink.write_records(pa.array(['{"A":3}']))
    sink.close()
    assert place.rows() == [(1, "x"), (None, "y"), (3, None)]


def test_a_name_with_everything_in_it(place):
    name = 'a "b" % c;--\u00fc'
    fill(place, **{name: [1]})
    fill(place, **{name: [2]})
    assert place.rows() == [(1,), (2,)]


FITTING = [
    ("integer", [1, 2.0, None], [1, 2, None]),
    ("text", [1, 1.5, True, "x", None], ["1", "1.5", "true", "x", None]),
    ("double precision", [1, 2.5], [1.0, 2.5]),
]


@pytest.mark.parametrize(("kind", "values", "stored"), FITTING)
def test_values_that_fit_a_table_that_is_there(place, kind, values, stored):
    place.execute(f"CREATE TABLE t (other text, V {kind})")
    for value in values:
        fill(place, v=[value])
    fill(place, v=values)
    assert [v for (v,) in place.rows("SELECT v FROM t")] == stored * 2


UNFIT = [
    ("integer", [1, 1.5], 1, "1.5 (float)"),
    ("integer", [None, "x"], 1, '"x" (nvarchar(max))'),
    ("integer", [2.0**63], 0, "9.22337203685477"),
    ("double precision", ["1"], 0, '"1"'),
    ("boolean", [True, 1], 1, "1 (bigint)"),
    ("integer", [{"a": 1}], 0, '{"a":1} (record)'),
    ("text NOT NULL", ["a", None], 1, "NULL"),
]
UNFIT_POSTGRES = [
    ("integer", [2**31 - 1, 2**31], 1, "2147483648"),
    ("smallint", [-(2**15), -(2**15) - 1], 1, "-32769"),
    ("varchar(3)", ["abc", "abcd"], 1, "a text of 4 characters"),
    ("text", ["a", "b\0c"], 1, "a NUL character"),
    ("jsonb", [{"a": "\\u0000"}, {"a": "\0"}], 1, "a NUL character"),
    ("timestamptz", [MOMENT, "soon"], 1, '"soon"'),
    ("inet", [["list"]], 0, '["list"]'),
]


def refused(place, kind, values, row, found):
    place.execute(f"CREATE TABLE t (a text, v {kind})")
    sink = place.open()
    with pytest.raises(OutputError, match=r"column v of table .*t is .* a row holds ") as caught:
        write(sink, a=["x"] * len(values), v=values)
    assert found in caught.value.message
    assert caught.value.row == row
    assert caught.value.hint
    assert not caught.value.retriable
    # nothing of the call was taken: the rows before the bad one may be written again
    if row:
        write(sink, v=values[:row])
    sink.close()
    assert len(place.rows()) == row


@pytest.mark.parametrize(("kind", "values", "row", "found"), UNFIT)
def test_values_that_do_not_fit(place, kind, values, row, found):
    refused(place, kind, values, row, found)


@pytest.mark.parametrize(("kind", "values", "row", "found"), UNFIT_POSTGRES)
def test_values_that_do_not_fit_in_postgres(postgres_place, kind, values, row, found):
    refused(postgres_place, kind, values, row, found)


TABLES = [
    ("CREATE TABLE t (a integer)", {"b": [1]}, "t has no column b; it has a", "ADD COLUMN b "),
    (
        "CREATE TABLE t (a integer, c text NOT NULL)",
        {"a": [1]},
        "column c of table .*t takes no NULL, and the rows have no such column",
        "select it",
    ),
    ("CREATE TABLE t (a integer)", {"a": [1], "A": [2]}, "columns a and A are one", "AS"),
]


@pytest.mark.parametrize(("table", "columns", "message", "hint"), TABLES)
def test_tables_that_do_not_fit(place, table, columns, message, hint):
    place.execute(table)
    sink = place.open()
    with pytest.raises(OutputError, match=message) as caught:
        write(sink, **columns)
    assert hint in caught.value.hint
    sink.close()
    assert place.rows() == []


def test_a_column_with_a_default_may_be_left_out(place):
    place.execute("CREATE TABLE t (a integer, c text NOT NULL DEFAULT 'c')")
    fill(place, a=[1])
    assert place.rows() == [(1, "c")]


UPSERTS = {"id": [1, 2, 1], "part": ["a", "a", "a"], "v": ["first", "second", "third"]}


def test_upsert_by_key(place):
    for _ in range(2):
        fill(place, "&key=ID,part", **UPSERTS)
    fill(place, "&key=id,part&mode=upsert", id=[2, 3], part=["a", "a"], v=[None, "new"])
    assert sorted(place.rows()) == [(1, "a", "third"), (2, "a", None), (3, "a", "new")]


def test_upsert_of_keys_alone(place):
    fill(place, "&key=id", id=[1, 1, 2])
    fill(place, "&key=id", id=[2, 3])
    assert sorted(place.rows()) == [(1,), (2,), (3,)]


def test_columns_that_an_upsert_does_not_give_stay(place):
    fill(place, "&key=id", id=[1], v=["old"], w=["kept"])
    fill(place, "&key=id", id=[1], v=["new"])
    assert place.rows() == [(1, "new", "kept")]


def test_a_key_that_is_there_already(place):
    fill(place, "&key=id&mode=append", id=[1])
    sink = place.open()
    write(sink, id=[2, 1])
    with pytest.raises(
        OutputError, match=r"key is in table .*t already: id.*2 rows are not"
    ) as caught:
        sink.flush()
    assert "key=id&mode=upsert" in caught.value.hint
    assert not caught.value.retriable
    write(sink, id=[3])  # the transaction that failed is given up
    sink.close()
    assert place.rows() == [(1,), (3,)]


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("CREATE TABLE t (id integer)", "&key=id", r"no unique index on its key \(id\)"),
        ("CREATE TABLE t (id integer)", "&key=di", "has no column di, which is in the key"),
        ("CREATE VIEW t AS SELECT 1 AS id", "", "view|no table"),
    ],
)
def test_tables_that_are_refused_before_anything_is_read(place, table, options, message):
    place.execute(table)
    with pytest.raises(OutputError, match=message):
        place.open(options)


def test_a_null_in_the_key(place):
    sink = place.open("&key=id")
    with pytest.raises(OutputError, match="takes no NULL, and a row holds NULL") as caught:
        write(sink, id=[1, None])
    assert caught.value.row == 1
    with pytest.raises(OutputError, match="the rows have no column id") as caught:
        write(sink, ib=[1])
    assert caught.value.hint == "the rows have ib"
    sink.close()


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ("", "names no table", "table=NAME"),
        ("?tabel=t", "no option 'tabel'", "did you mean table?"),
        ("?table=t&mode=replace", "mode takes append or upsert", None),
        ("?table=t&mode=upsert", "needs a key", "key=id"),
    ],
)
@pytest.mark.parametrize("base", ["sqlite:///nowhere/a.db", "postgresql://nowhere/rides"])
def test_options_are_read_before_anything_is_opened(base, options, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        open_sink(base + options)
    assert hint is None or hint in caught.value.hint


def test_files_that_are_no_database(tmp_path):
    (tmp_path / "a.db").write_text("text " * 1000)
    with pytest.raises(OutputError, match="file is not a database"):
        Sqlite(tmp_path / "a.db").open()
    with pytest.raises(OutputError, match="there is no directory"):
        Sqlite(tmp_path / "no" / "a.db").open()
