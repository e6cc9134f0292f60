"""Python functions: scalar, async, over arrays, aggregates, table functions; from API and text."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import streamql
from streamql.errors import BindError, FunctionError, UsageError
from streamql.runtime.state import from_bytes, to_bytes
from streamql.udf.python.aggregate import python_aggregate

ROWS = [{"id": i, "v": i % 7, "t": f"2024-03-05T08:00:{i % 60:02}Z"} for i in range(40)]


@pytest.fixture
def engine() -> Iterator[streamql.Engine]:
    with streamql.Engine() as made:
        made.register("input", ROWS)
        yield made


def results(engine: streamql.Engine, query: str) -> list[Any]:
    return [row["x"] for row in engine.sql(query).fetchall()]


# -- scalar ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (date(2024, 3, 5), datetime(2024, 3, 5, tzinfo=UTC)),
        (np.float64(0.5), 0.5),
        (np.int32(3), 3),
        ((1, "a"), [1, "a"]),
        ({"k": [1.5, None]}, {"k": [1.5, None]}),
        (None, None),
    ],
)
def test_what_a_function_may_return(engine: streamql.Engine, value: Any, found: Any) -> None:
    engine.function(lambda x: value if x == 1 else None, name="f")
    assert results(engine, "SELECT udf.f(id) AS x FROM input") == [None, found, *[None] * 38]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "returned nan, which is no value"),
        ([float("inf")], "returned inf, which is no value"),
        (2**70, "an integer beyond 64 bits"),
        ({1, 2}, "a value of type set, which has no SQL type"),
        ({1: 2}, "a dict with the key 1"),
        ("\ud800", "half of a surrogate pair"),
    ],
)
def test_what_it_may_not_return_names_the_event(
    engine: streamql.Engine, value: Any, said: str
) -> None:
    engine.function(lambda x: value if x == 30 else x, name="f")
    with pytest.raises(FunctionError, match=said) as caught:
        engine.sql("SELECT udf.f(id) AS x FROM input").fetchall()
    assert caught.value.message.startswith("udf.f returned")
    assert caught.value.event == 31


def test_annotations_are_promises(engine: streamql.Engine) -> None:
    @engine.function
    def half(x: int) -> float | None:
        return None if x == 2 else x // 2

    @engine.function
    def wrong(x: int) -> int:
        return x if x < 5 else "five"  # type: ignore[return-value]

    assert results(engine, "SELECT udf.half(id) AS x FROM input")[:5] == [0.0, 0.0, None, 1.0, 2.0]
    with pytest.raises(FunctionError, match="'five', and its annotation promises nvarchar|bigint"):
        results(engine, "SELECT udf.wrong(id) AS x FROM input")


def test_arguments_are_counted_at_compile_time(engine: streamql.Engine) -> None:
    engine.function(functools.partial(lambda a, b: a + b, 1), name="plus")
    assert results(engine, "SELECT udf.plus(id) AS x FROM input WHERE id < 2") == [1, 2]
    with pytest.raises(BindError, match=r"udf\.plus: too many positional arguments"):
        engine.sql("SELECT udf.plus(id, id) AS x FROM input")


def test_a_function_needs_a_name(engine: streamql.Engine) -> None:
    with pytest.raises(UsageError, match="<lambda> is no name of a function"):
        engine.function(lambda x: x)

    with pytest.raises(UsageError, match=r"udf\.rows is a generator"):

        @engine.function
        def rows(x: int) -> Iterator[int]:
            yield x


def test_equal_arguments_are_one_call(engine: streamql.Engine) -> None:
    calls = []
    engine.function(lambda x: calls.append(x) or 4, name="f")
    assert results(engine, "SELECT udf.f('k') AS x FROM input") == [4] * 40
    assert calls == ["k"]


def test_exit_is_an_error(engine: streamql.Engine) -> None:
    engine.function(lambda x: sys.exit("bye"), name="f")
    with pytest.raises(FunctionError, match=r"udf\.f: SystemExit: bye"):
        results(engine, "SELECT udf.f(id) AS x FROM input")


@pytest.mark.parametrize("volatile", [False, True])
def test_arrays_that_fail_name_the_row(engine: streamql.Engine, volatile: bool) -> None:
    @engine.function(vectorized=True, volatile=volatile)
    def inverse(x: pa.Array) -> pa.Array:
        return pc.divide(1, pc.subtract(x, 29))

    with pytest.raises(FunctionError, match="divide by zero") as caught:
        results(engine, "SELECT udf.inverse(id) AS x FROM input")
    assert caught.value.event == (None if volatile else 30)
    assert "test_python_functions.py, line" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda x: 5, "returned int, which is no column"),
        (lambda x: x.slice(1), "returned 39 values for 40 rows"),
        (lambda x: ["a", {1}], "a value of type set"),
    ],
)
def test_arrays_of_the_wrong_kind(engine: streamql.Engine, given: Any, said: str) -> None:
    engine.function(given, name="f", vectorized=True)
    with pytest.raises(FunctionError, match=said):
        results(engine, "SELECT udf.f(id) AS x FROM input")


# -- async ----------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3, 100])
def test_coroutines_run_side_by_side_within_the_limit(
    engine: streamql.Engine, concurrency: int
) -> None:
    running, most = 0, 0

    @engine.function(concurrency=concurrency)
    async def later(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range((x * 7) % 5 + 1):
            await asyncio.sleep(0)
        running -= 1
        return x * 2

    assert results(engine, "SELECT udf.later(id) AS x FROM input") == [2 * i for i in range(40)]
    assert most == min(concurrency, 40)


def test_the_first_failing_row_is_told_whichever_ends_first(engine: streamql.Engine) -> None:
    @engine.function
    async def fails(x: int) -> int:
        for _ in range(100 - x):
            await asyncio.sleep(0)
        if x in (11, 25):
            raise ValueError(f"no {x}")
        return x

    with pytest.raises(FunctionError, match=r"udf\.fails: ValueError: no 11") as caught:
        results(engine, "SELECT udf.fails(id) AS x FROM input")
    assert caught.value.event == 12
    assert "test_python_functions.py, line" in str(caught.value.hint)


def test_a_query_inside_of_a_running_loop(engine: streamql.Engine) -> None:
    @engine.function
    async def same(x: int) -> int:
        return x

    async def outer() -> list[Any]:
        return results(engine, "SELECT udf.same(id) AS x FROM input")

    assert asyncio.run(outer()) == list(range(40))


# -- aggregates -----------------------------------------------------------------------------


class Spread:
    """Greatest minus least."""

    def init(self) -> None:
        self.seen: set[int] = set()

    def accumulate(self, value: int, factor: int = 1) -> None:
        self.seen.add(value * factor)

    def merge(self, other: Spread) -> None:
        self.seen |= other.seen

    def result(self) -> int | None:
        return max(self.seen) - min(self.seen) if self.seen else None


class Unmerged(Spread):
    merge = None  # type: ignore[assignment]


WINDOWS = [
    "TumblingWindow(second, 10)",
    "HoppingWindow(second, 10, 5)",
    "SlidingWindow(second, 5)",
    "SessionWindow(second, 2, 20)",
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("cls", [Spread, Unmerged])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_aggregates_agree_with_the_built_in_one(window: str, cls: type[Any], size: int) -> None:
    found = {}
    for name, expression in {
        "own": "uda.spread(id * 3)",
        "two": "uda.spread(id, 3)",
        "built in": "MAX(id * 3) - MIN(id * 3)",
    }.items():
        with streamql.Engine() as engine:
            engine.register("input", ROWS)
            engine.aggregate(cls, name="spread")
            engine.cut, engine.restart = iter([size] * 50), True
            found[name] = engine.sql(
                f"SELECT v, System.Timestamp() AS e, {expression} AS x "
                f"FROM input TIMESTAMP BY t GROUP BY v, {window}"
            ).fetchall()
    assert found["own"] == found["two"] == found["built in"]
    assert len(found["own"]) > 10


def test_over_and_the_time_of_events(engine: streamql.Engine) -> None:
    @engine.aggregate
    class last_second:
        def init(self) -> None:
            self.at: datetime | None = None

        def accumulate(self, value: int, timestamp: datetime) -> None:
            self.at = timestamp

        def result(self) -> int:
            assert self.at is not None
            return self.at.second

    query = (
        "SELECT uda.last_second(v) OVER (LIMIT DURATION(second, 5)) AS x FROM input TIMESTAMP BY t"
    )
    assert results(engine, query) == list(range(40))


def test_a_failing_aggregate_names_the_event_and_its_line(engine: streamql.Engine) -> None:
    @engine.aggregate
    class bad(Spread):
        def accumulate(self, value: int, factor: int = 1) -> None:
            _ = 1 // (value - 3)

    with pytest.raises(FunctionError, match=r"uda\.bad: ZeroDivisionError") as caught:
        results(engine, f"SELECT uda.bad(id) AS x FROM input TIMESTAMP BY t GROUP BY {WINDOWS[0]}")
    assert caught.value.event == 4
    assert "test_python_functions.py, line" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([1, 2.5, "x", None, True], True),
        ({(1, "a"): {2, 3}}, True),
        (datetime(2024, 3, 5, tzinfo=UTC), True),
        (np.float64(1.5), True),
        (object(), False),
    ],
)
def test_states_in_snapshots(value: Any, kept: bool) -> None:
    class Holds(Spread):
        def accumulate(self, given: Any, factor: int = 1) -> None:
            self.held = value

        def result(self) -> Any:
            return self.held == value

    aggregate = python_aggregate("holds", Holds).make(None_signature())
    states = aggregate.accumulator()
    assert states is not None
    from streamql.column import from_values
    from streamql.grouping.ranges import Ranges

    slots = np.zeros(1, np.int64)
    states.add(slots, 1, [from_values([1])])
    if not kept:
        with pytest.raises(
            FunctionError, match="attribute held of its state holds a value of type"
        ):
            states.snapshot()
        return
    again = aggregate.accumulator()
    assert again is not None
    again.restore(from_bytes(to_bytes(states.snapshot())))
    assert again.result(slots, Ranges(slots, slots + 1)).to_pylist() == [True]


def None_signature() -> Any:
    from streamql.errors import Span
    from streamql.functions.aggregate import Signature
    from streamql.types import Type

    return Signature((), (Type.ANY,), (), (), False, Span(0, 1), (Span(0, 1),))


def test_classes_that_are_no_aggregates(engine: streamql.Engine) -> None:
    with pytest.raises(UsageError, match=r"uda\.C: C has no accumulate\(\)"):
        engine.aggregate(type("C", (), {"result": lambda self: 1}))
    engine.aggregate(Spread)
    with pytest.raises(BindError, match="takes"):
        engine.sql("SELECT uda.Spread(v, v, v) AS x FROM input GROUP BY TumblingWindow(second, 1)")


# -- table functions ------------------------------------------------------------------------

Point = namedtuple("Point", "word size")


@pytest.mark.parametrize(
    "make",
    [
        lambda text: [{"word": w, "size": len(w)} for w in text.split()],
        lambda text: [Point(w, len(w)) for w in text.split()],
        lambda text: ({"word": w, "size": len(w)} for w in text.split()),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_table_functions_make_rows(make: Any, size: int) -> None:
    with streamql.Engine() as engine:
        engine.register("input", [{"k": 1, "s": "a bc"}, {"k": 2, "s": ""}, {"k": 3, "s": "def"}])
        engine.table_function(make, name="words")
        engine.cut = iter([size] * 9)
        query = "SELECT k, e.word AS word, e.size * 2 AS size FROM input {} APPLY udf.words(s) AS e"
        expected = [("a", 2), ("bc", 4), ("def", 6)]
        rows = [
            {"k": k, "word": w, "size": n} for k, (w, n) in zip((1, 1, 3), expected, strict=True)
        ]
        assert engine.sql(query.format("CROSS")).fetchall() == rows
        rows.insert(2, {"k": 2, "word": None, "size": None})
        engine.cut = iter([size] * 9)
        assert engine.sql(query.format("OUTER")).fetchall() == rows


def test_columns_are_known_at_compile_time(engine: streamql.Engine) -> None:
    @engine.table_function(columns=("low", "high"))
    async def bounds(x: int) -> list[tuple[int, int]]:
        return [(x - 1, x + 1)] * (x % 2)

    query = "SELECT b.high - b.low AS x FROM input CROSS APPLY udf.bounds(id) AS b"
    assert results(engine, query) == [2] * 20
    assert engine.sql("SELECT b.* FROM input CROSS APPLY udf.bounds(id) AS b").fetchall()[0] == {
        "low": 0,
        "high": 2,
    }
    with pytest.raises(BindError, match="hihg"):
        engine.sql(query.replace("b.high", "b.hihg"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"a": 1}, "returned a value of type dict instead of rows"),
        ([1], "returned a value of type int as a row"),
        ([{"a": {1}}], "a value of type set"),
    ],
)
def test_results_that_are_no_rows(engine: streamql.Engine, made: Any, said: str) -> None:
    engine.table_function(lambda x: made if x == 8 else [], name="f")
    with pytest.raises(FunctionError, match=said) as caught:
        results(engine, "SELECT e.a AS x FROM input CROSS APPLY udf.f(id) AS e")
    assert caught.value.event == 9


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT udf.rows(id) AS x FROM input", "makes rows and stands only after CROSS APPLY"),
        ("SELECT 1 AS x FROM input CROSS APPLY udf.one(id) AS e", r"udf\.one gives one value"),
        ("SELECT 1 AS x FROM input CROSS APPLY udf.row(id) AS e", r"unknown function udf\.row"),
    ],
)
def test_where_table_functions_stand(engine: streamql.Engine, query: str, said: str) -> None:
    engine.table_function(lambda x: [], name="rows")
    engine.function(lambda x: x, name="one")
    with pytest.raises(BindError, match=said):
        engine.sql(query)


# -- named as text --------------------------------------------------------------------------

MODULE = """
print("loading")
def clean(x):
    print("clean")
    return x * 10
async def later(x):
    return x + 0.5
def twice(x):
    yield {"n": x}
    yield {"n": -x}
def pairs(x):
    return [(x, 1)]
def plus(x):
    import pyarrow.compute as pc
    return pc.add(x, 1)
class total:
    def init(self):
        self.sum = 0
    def accumulate(self, x):
        self.sum += x
    def merge(self, other):
        self.sum += other.sum
    def result(self):
        return self.sum
number = 5
"""
SPECS = [
    ("clean", {}, "SELECT udf.f(id) AS x FROM input", [0, 10, 20]),
    ("later", {"concurrency": "2"}, "SELECT udf.f(id) AS x FROM input", [0.5, 1.5, 2.5]),
    ("plus", {"vectorized": "true"}, "SELECT udf.f(id) AS x FROM input", [1, 2, 3]),
    ("twice", {}, "SELECT e.n AS x FROM input CROSS APPLY udf.f(id) AS e", [0, 0, 1, -1, 2, -2]),
    (
        "pairs",
        {"kind": "table", "columns": "n, one"},
        "SELECT e.n + e.one AS x FROM input CROSS APPLY udf.f(id) AS e",
        [1, 2, 3],
    ),
    ("total", {}, "SELECT uda.f(id) AS x FROM input GROUP BY TumblingWindow(day, 1)", [3]),
]


@pytest.mark.parametrize(("name", "given", "query", "expected"), SPECS)
def test_functions_of_a_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    given: dict[str, str],
    query: str,
    expected: list[Any],
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MODULE)
    with streamql.Engine(functions={"f": given}) as engine:
        engine.register("input", [{"id": i} for i in range(3)])
        engine.function_from("f", f"{path}:{name}")
        assert results(engine, query) == expected
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("loading\n")


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "mine_of_the_test.py").write_text(MODULE)
    (tmp_path / "in.jsonl").write_text('{"id": 4}\n')
    command = [
        sys.executable,
        "-m",
        "streamql",
        "run",
        "--query",
        "SELECT udf.f(id) AS x FROM input",
    ]
    ran = subprocess.run(
        [*command, "--input", "in.jsonl", "--function", "f=mine_of_the_test:clean", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == {"x": 40}
    assert ran.stderr == "loading\nclean\n"


@pytest.mark.parametrize(
    ("spec", "given", "said"),
    [
        ("{}:claen", {}, "has no claen"),
        ("{}:number", {}, "number is no function, it is a int"),
        ("{}x.py:f", {}, r"there is no file .*x\.py"),
        ("no_module_of_this_name:f", {}, "there is no module no_module_of_this_name"),
        ("{}:clean", {"concurency": "2"}, "f has no setting 'concurency'"),
        ("{}:clean", {"columns": "a"}, r"f\.columns is no setting of a function"),
        ("{}:total", {"volatile": "true"}, r"f\.volatile is no setting of an aggregate"),
        ("{}:clean", {"vectorized": "2"}, r"f\.vectorized takes true or false, found '2'"),
    ],
)
def test_what_does_not_load(tmp_path: Path, spec: str, given: dict[str, str], said: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MODULE)
    with streamql.Engine(functions={"f": given}) as engine, pytest.raises(UsageError, match=said):
        engine.function_from("f", spec.format(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = x / 0\n", "ZeroDivisionError: division by zero"),
        ("x = 1\ndef f(:\n", "SyntaxError: "),
        ("\nimport no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
    ],
)
def test_a_file_that_fails_names_the_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with streamql.Engine() as engine, pytest.raises(UsageError, match=said) as caught:
        engine.function_from("f", f"{path}:f")
    assert caught.value.hint == f"at {path}, line 2"
