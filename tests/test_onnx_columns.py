"""Rows that go to an ONNX model as columns give what they give as JSON text, errors included."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamql import Engine
from streamql.column import Column, from_values
from streamql.errors import FunctionError
from streamql.packed import PackedColumn
from streamql.rows import ColumnRows
from streamql.types import Type
from streamql.udf.javascript import JavaScriptRuntime, load_function
from streamql.udf.scoring import ModelFunction

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto as T  # noqa: E402
from onnx import helper  # noqa: E402
from onnx import save as save_model  # noqa: E402
from test_onnx import function, linear, mixed, saved  # noqa: E402


def typed(path: Path) -> Path:
    """a float, n int16, b bool, each [n, 1] -> a float: a + n, where b holds."""
    return saved(
        path,
        [("a", T.FLOAT, ["n", 1]), ("n", T.INT16, ["n", 1]), ("b", T.BOOL, ["n", 1])],
        [("y", T.FLOAT, ["n", 1])],
        [
            helper.make_node("Cast", ["n"], ["f"], to=T.FLOAT),
            helper.make_node("Add", ["a", "f"], ["sum"]),
            helper.make_node("Where", ["b", "sum", "a"], ["y"]),
        ],
    )


def identity(path: Path, kind: int) -> Path:
    return saved(
        path,
        [("x", kind, ["n"])],
        [("y", kind, ["n"])],
        [helper.make_node("Identity", ["x"], ["y"])],
    )


def vectors(path: Path, rows: Any = "n") -> Path:
    """x [rows, 3] -> its first two numbers and half of them, as [rows, 2]."""
    return saved(
        path,
        [("x", T.FLOAT, [rows, 3])],
        [("y", T.FLOAT, [rows, 2])],
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"w": (T.FLOAT, [[1.0, 0.5], [1.0, 0.5], [0.0, 0.0]])},
    )


def labels(path: Path) -> Path:
    """x [n, 3] -> a label and a map of both labels to their scores."""
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            domain="ai.onnx.ml",
            coefficients=[0.5, 0.25, 0.0, -0.5, 0.0, 1.0],
            intercepts=[0.0, 0.0],
            classlabels_strings=["yes", "no"],
            multi_class=0,
            post_transform="NONE",
        ),
        helper.make_node(
            "ZipMap",
            ["scores"],
            ["chances"],
            domain="ai.onnx.ml",
            classlabels_strings=["yes", "no"],
        ),
    ]
    made = helper.make_map_type_proto(T.STRING, helper.make_tensor_type_proto(T.FLOAT, []))
    graph = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info("x", T.FLOAT, ["n", 3])],
        [
            helper.make_tensor_value_info("label", T.STRING, ["n"]),
            helper.make_value_info("chances", helper.make_sequence_type_proto(made)),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    save_model(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


@cache
def models() -> dict[str, Path]:
    folder = Path(tempfile.mkdtemp())
    kinds = {"float": T.FLOAT, "double": T.DOUBLE, "int": T.INT64, "text": T.STRING, "bit": T.BOOL}
    made = {name: identity(folder / f"{name}.onnx", kind) for name, kind in kinds.items()}
    return made | {
        "linear": linear(folder / "l.onnx"),
        "typed": typed(folder / "t.onnx"),
        "four": linear(folder / "four.onnx", 4),
        "mixed": mixed(folder / "m.onnx"),
        "vectors": vectors(folder / "v.onnx"),
        "vectors of two": vectors(folder / "w.onnx", 2),
        "labels": labels(folder / "z.onnx"),
    }


WHOLE = st.one_of(st.integers(-300, 300), st.integers(-(2**63), 2**63 - 1))
NUMBER = st.one_of(WHOLE, st.floats(allow_nan=False, allow_infinity=False))
ANY = st.one_of(NUMBER, st.booleans(), st.text(max_size=3), st.none(), st.just([1]))
CELLS = st.sampled_from([WHOLE, NUMBER, st.floats(-9, 9), st.booleans(), st.text(max_size=3), ANY])
NAMES = st.sampled_from(
    [("x",), ("p", "q", "r"), ("a", "n", "b"), ("n", "b", "a", "more"), ("n", "t", "a")]
)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Column]:
    count = draw(st.integers(1, 6))
    return {
        name: from_values(draw(st.lists(draw(CELLS), min_size=count, max_size=count)))
        for name in draw(NAMES)
    }


def outcome(call: Any) -> tuple[str, list[Any]]:
    try:
        column = call()
    except FunctionError as error:
        return error.message, []
    return str(column.type), column.to_pylist()


def ready(name: str, **settings: str) -> ModelFunction:
    made = function(models()[name], **settings)
    made.prepare()
    return made


def as_text(model: ModelFunction, column: Column) -> Column:
    """Score rows that can go no other way than as text: of the base class's `call`."""
    return ModelFunction.call(model, [column], len(column))


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@given(tables(), st.sampled_from(sorted(models())), st.sampled_from(["1", "2", "1000"]))
def test_records_as_columns_give_what_they_give_as_text(
    table: Mapping[str, Column], name: str, batch: str
) -> None:
    count = len(next(iter(table.values())))
    records = ColumnRows(table, count).record()
    expected = outcome(lambda: as_text(ready(name, max_batch_count=batch), records))
    found = ready(name, max_batch_count=batch).call_fields(table, count)
    if found is not None:
        assert (str(found.type), found.to_pylist()) == expected


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@given(
    st.lists(
        st.lists(ANY, min_size=2, max_size=4) | st.lists(NUMBER, min_size=3, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_arrays_give_what_they_give_as_text(rows: list[list[Any]]) -> None:
    column = from_values(rows)
    expected = outcome(lambda: as_text(ready("linear"), column))
    assert outcome(lambda: ready("linear").call([column], len(column))) == expected


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@given(tables(), st.sampled_from(sorted(models())), st.sampled_from(["1", "2"]), st.booleans())
def test_what_functions_pack_gives_what_it_gives_as_text(
    runtime: JavaScriptRuntime,
    table: Mapping[str, Column],
    name: str,
    batch: str,
    named: bool,
) -> None:
    fields = ", ".join(table)
    literal = f"{{{fields}}}" if named else f"[{fields}]"
    source = f"function f({fields}) {{ return {literal}; }}"
    packed = load_function("f", source, "f.js", runtime).call(
        list(table.values()), len(next(iter(table.values())))
    )
    text = Column(packed.type, packed.values)
    expected = outcome(lambda: as_text(ready(name, max_batch_count=batch), text))
    found = outcome(lambda: ready(name, max_batch_count=batch).call([packed], len(packed)))
    assert repr(found) == repr(expected)  # where 0.0 is not -0.0


@pytest.mark.parametrize("kind", ["float", "double"])
def test_a_packed_zero_has_no_sign(runtime: JavaScriptRuntime, kind: str) -> None:
    pack = load_function("f", "function f(x) { return [x]; }", "f.js", runtime)
    column = pack.call([from_values([-0.0, -5e-324, 1.5])], 3)
    assert isinstance(column, PackedColumn)
    expected = as_text(ready(kind), Column(Type.ARRAY, column.values)).to_pylist()
    assert repr(ready(kind).call([column], 3).to_pylist()) == repr(expected)


THREE = {n: from_values([1, 2, 0.5]) for n in "pqr"}
PLAIN: dict[str, dict[str, Column]] = {
    "typed": {
        "a": from_values([1.5, 2.5, 3]),
        "n": from_values([1.0, 2.0, 3.0]),
        "b": from_values([True, False, True]),
    },
    "mixed": {
        "a": from_values([1.5, 2.5, 3]),
        "n": from_values([1, 2, 3]),
        "t": from_values(["x", "", "z"]),
    },
    "bit": {"x": from_values([True, False, True])},
    "int": {"x": from_values([1, 2, 3])},
    "text": {"x": from_values(["x", "", "z"])},
    "float": {"x": from_values([1, 2.5, -0.0])},
    "double": {"x": from_values([1, 2.5, -0.0])},
}


@pytest.mark.parametrize("batch", [2, 3])
@pytest.mark.parametrize("name", sorted(models()))
def test_plain_columns_go_as_columns(name: str, batch: int) -> None:
    fields = PLAIN.get(name, THREE)
    model = ready(name, max_batch_count=str(batch))
    found = model.call_fields(fields, 3)
    assert found is not None
    expected = as_text(ready(name), ColumnRows(fields, 3).record())
    assert (found.type, repr(found.to_pylist())) == (expected.type, repr(expected.to_pylist()))
    assert (model.stats.requests, model.stats.events) == (4 - batch, 3)


@pytest.mark.parametrize("name", ["bit", "int", "text", "float", "double"])
def test_scalars_go_as_columns(name: str) -> None:
    model, column = ready(name), PLAIN[name]["x"]
    found = model.call([column], 3)
    assert repr(found.to_pylist()) == repr(as_text(ready(name), column).to_pylist())
    assert model._caller is None  # which is what texts go to


@pytest.mark.parametrize("setting", ["all", "sample"])
def test_rows_that_are_validated_go_as_text(setting: str) -> None:
    assert (
        ready("linear", validate=setting).call_fields({n: from_values([1]) for n in "pqr"}, 1)
        is None
    )


@pytest.mark.parametrize(
    "query",
    [
        "WITH row AS (SELECT p, q, r FROM input) SELECT udf.score(row) AS y FROM row",
        "SELECT udf.score(input) AS y FROM input",
        "WITH row AS (SELECT p, q, r FROM input) SELECT udf.score(row) AS y FROM input",
    ],
)
def test_a_step_is_scored_whatever_its_values(query: str) -> None:
    rows = [{"p": 1, "q": 2.5, "r": 3}, {"p": 4, "q": 5, "r": 6.5}]
    with Engine() as engine:
        engine.register("input", rows)
        engine.model("score", str(models()["linear"]))
        assert engine.sql(query).fetchall() == [{"y": 326.0}, {"y": 704.0}]
    with Engine() as engine:
        engine.register("input", [*rows, {"p": None, "q": 1, "r": 1}])
        engine.model("score", str(models()["linear"]), on_error="null")
        assert engine.sql(query).fetchall() == [{"y": 326.0}, {"y": 704.0}, {"y": None}]


@pytest.mark.parametrize(
    "query",
    [
        "WITH row AS (SELECT p, q, r FROM input) SELECT udf.score(row) AS y FROM row",
        "SELECT udf.score(udf.pack(p, q, r)) AS y FROM input",
        "WITH row AS (SELECT p, udf.pack(p, q, r) AS list FROM input) "
        "SELECT udf.score(list) AS y FROM row WHERE p > 0",
    ],
)
def test_columns_are_never_written_as_text(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    def refused(*_: object) -> Column:
        raise AssertionError("rows were written as text")

    monkeypatch.setattr(ColumnRows, "record", refused)
    monkeypatch.setattr(PackedColumn, "values", property(refused))
    with Engine() as engine:
        engine.register("input", [{"p": 1, "q": 2.5, "r": 3}])
        engine.model("score", str(models()["linear"]))
        engine.javascript("pack", "function pack(a, b, c) { return [a, b, c]; }")
        found = engine.sql(query).fetchall()
    assert found == [{"y": 326.0}]
