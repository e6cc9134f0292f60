"""The Python API: sources of every kind, functions, and the ways to read rows."""

import asyncio
import threading
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import streamql
from streamql.errors import BindError, FunctionError, UsageError

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": None}]
TABLE = pa.Table.from_pylist(ROWS)


async def _async_rows():
    for row in ROWS:
        await asyncio.sleep(0)
        yield row


SOURCES = {
    "list": lambda: ROWS,
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "pandas": lambda: pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]}),
    "iterator": lambda: iter(ROWS),
    "generator of tables": lambda: (TABLE.slice(i, 1) for i in range(3)),
    "async iterator": _async_rows,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(kind):
    with streamql.Engine() as engine:
        engine.register("input", SOURCES[kind]())
        found = engine.sql("SELECT a * 2 AS d, UPPER(b) AS u FROM input WHERE a > 1").fetchall()
    assert found == [{"d": 4, "u": "Y"}, {"d": 6, "u": None}]


def test_known_columns_are_checked_when_the_query_is_compiled():
    engine = streamql.Engine()
    engine.register("input", pa.table({"fare": [1.0], "zone": ["x"]}))
    with pytest.raises(BindError, match="input has no column fair") as caught:
        engine.sql("SELECT fair FROM input")
    assert caught.value.hint == "did you mean fare?"
    with pytest.raises(BindError, match="invalid type"):
        engine.sql("SELECT ROUND(zone, 1) AS z FROM input")


def test_rows_arrive_while_the_input_goes_on():
    gate = threading.Event()

    def endless():
        yield {"a": 1}
        assert gate.wait(10)
        yield {"a": 2}

    engine = streamql.Engine()
    engine.register("input", endless())
    rows = iter(engine.sql("SELECT a FROM input"))
    assert next(rows) == {"a": 1}
    gate.set()
    assert next(rows) == {"a": 2}
    assert next(rows, None) is None


def test_reading_may_stop_early():
    def endless():
        number = 0
        while True:
            number += 1
            yield {"a": number}

    engine = streamql.Engine()
    engine.register("input", endless())
    for row in engine.sql("SELECT a FROM input"):
        if row["a"] == 3:
            break


def test_async_for_inside_a_running_loop():
    async def main():
        engine = streamql.Engine()
        engine.register("input", _async_rows())
        return [row async for row in engine.sql("SELECT a FROM input")]

    assert asyncio.run(main()) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_engines_in_threads_do_not_meet():
    found = {}

    def work(number):
        with streamql.Engine() as engine:
            engine.register("input", [{"a": number}] * 50)
            engine.javascript("f", f"function f(x) {{ return x + {number}; }}")
            found[number] = engine.sql("SELECT udf.f(a) AS x FROM input").fetchall()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: [{"x": 2 * n}] * 50 for n in range(4)}


def test_python_functions_on_values():
    engine = streamql.Engine()
    engine.register("input", [{"p": "ab 1", "t": "2024-03-05T08:00:00Z"}, {"p": None}])

    @engine.function
    def clean(plate: str | None) -> str | None:
        return None if plate is None else plate.replace(" ", "")

    @engine.function(name="later")
    def _later(moment: datetime | None) -> datetime | None:
        return moment and moment.replace(year=2030)

    found = engine.sql(
        "SELECT udf.clean(p) AS c, udf.later(CAST(t AS datetime)) AS l FROM input"
    ).fetchall()
    assert found == [
        {"c": "ab1", "l": datetime(2030, 3, 5, 8, tzinfo=UTC)},
        {"c": None, "l": None},
    ]


def test_python_functions_on_arrays():
    engine = streamql.Engine()
    engine.register("input", TABLE)

    @engine.function(vectorized=True)
    def plus(x, y):
        return pc.add(x, y)

    assert engine.sql("SELECT udf.plus(a, 10) AS p FROM input").arrow()["p"].to_pylist() == [
        11,
        12,
        13,
    ]


def test_a_failing_python_function_names_the_event_and_its_line():
    engine = streamql.Engine()
    engine.register("input", ROWS)

    @engine.function
    def bad(x: int) -> int:
        return 1 // (x - 2)

    with pytest.raises(FunctionError, match=r"udf\.bad: ZeroDivisionError") as caught:
        engine.sql("SELECT udf.bad(a) AS x FROM input").fetchall()
    assert caught.value.event == 2
    assert "test_engine.py, line" in caught.value.hint


def test_a_table_of_results_keeps_types():
    engine = streamql.Engine()
    rows = [{"i": 2**62, "f": 0.5, "t": "x", "b": True, "r": {"k": [1, 2]}, "m": 1}]
    engine.register("input", [*rows, {**rows[0], "m": 1.5}])
    query = "SELECT i, f, t, b, r, m, CAST('2024-03-05T08:00:00Z' AS datetime) AS d FROM input"
    table = engine.sql(query).arrow()
    assert table.schema.field("i").type == pa.int64()
    assert table.schema.field("d").type == pa.timestamp("us", "UTC")
    assert table["i"][0].as_py() == 2**62
    assert table["r"][0].as_py() == {"k": [1, 2]}
    assert engine.sql(query).to_pandas()["m"].tolist() == [1.0, 1.5]


def test_several_outputs():
    engine = streamql.Engine()
    engine.register("input", ROWS)
    result = engine.sql("SELECT a INTO one FROM input WHERE a = 1 SELECT b INTO two FROM input")
    assert result.outputs == ("one", "two")
    assert result.output("ONE").fetchall() == [{"a": 1}]
    with pytest.raises(UsageError, match="several outputs"):
        result.fetchall()
    with pytest.raises(UsageError, match="no output"):
        result.output("three")


def test_a_default_timestamp():
    engine = streamql.Engine()
    engine.register("input", [{"at": "2024-03-05T08:00:00Z"}, {"at": "x"}], timestamp="at")
    found = engine.sql("SELECT System.Timestamp() AS t FROM input").fetchall()
    assert found == [{"t": datetime(2024, 3, 5, 8, tzinfo=UTC)}]


def test_show_prints_a_table(capsys):
    engine = streamql.Engine()
    engine.register("input", [{"a": n} for n in range(30)])
    engine.sql("SELECT a FROM input").show(limit=2)
    printed = capsys.readouterr().out
    assert "the first 2 rows; more follow" in printed


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM input", [{"a": 1, "n": {"x": None}}, {"b": 2}]),
        ("SELECT *, 5 AS c FROM input", [{"a": 1, "n": {"x": None}, "c": 5}, {"b": 2, "c": 5}]),
        ("SELECT 5 AS A, * FROM input", [{"A": 5, "n": {"x": None}}, {"A": 5, "b": 2}]),
        ("SELECT n.* FROM input", [{"x": None}, {}]),
        ("SELECT input AS e FROM input", [{"e": {"a": 1, "n": {"x": None}}}, {"e": {"b": 2}}]),
    ],
)
def test_absent_is_not_null_inside_whole_events(query, expected):
    engine = streamql.Engine()
    engine.register("input", [{"a": 1, "n": {"x": None}}, {"b": 2}])
    assert engine.sql(query).fetchall() == expected


def test_integers_never_pass_through_a_double():
    values = [2**63 - 1, -(2**63), 2**53 + 1, 0.5, "9007199254740993", None]
    engine = streamql.Engine()
    engine.register("input", [{"v": v} for v in values])
    found = engine.sql(
        "SELECT v, CASE WHEN v = 9007199254740993 THEN 1 ELSE 0 END AS same FROM input"
    )
    assert [row["v"] for row in found] == values
    assert [row["same"] for row in found] == [0, 0, 1, 0, 0, 0]


def test_rows_that_could_not_be_scored_are_told(tmp_path):
    script = tmp_path / "score.py"
    script.write_text(
        "import json\n"
        "def init(): pass\n"
        "def run(data): return [10 // v for v in json.loads(data)['data']]\n"
    )
    with streamql.Engine() as engine:
        engine.register("input", [{"a": 1}, {"a": 0}, {"a": 5}])
        engine.model("score", str(script), on_error="null")
        job = engine.job(
            "SELECT udf.score(a) AS s INTO output FROM input", output_dir=str(tmp_path)
        )
        summary = job.run()
    assert (tmp_path / "output.jsonl").read_text() == '{"s":10}\n{"s":null}\n{"s":2}\n'
    assert summary.rejected == 1
    assert summary.sentences()[-1] == "1 row not scored: on_error decided"
