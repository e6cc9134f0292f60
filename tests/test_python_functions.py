"""Python functions: scalar, async, over arrays; from the API and named as text."""

from __future__ import annotations

import asyncio
import functools
import json
import subprocess
import sys
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
    with pytest.raises(FunctionError, match="'five', and its annotation promises bigint"):
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
    engine.function(lambda _: sys.exit("bye"), name="f")
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
        (lambda _: 5, "returned int, which is no column"),
        (lambda x: x.slice(1), "returned 39 values for 40 rows"),
        (lambda _: ["a", {1}], "a value of type set"),
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
