"""ONNX models in process: how rows become tensors and outputs values, and what does not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import streamql
from streamql.column import Column, from_values
from streamql.errors import FunctionError, Span, UsageError
from streamql.types import Type
from streamql.udf.scoring import ModelFunction, ScoringLoop, model_function

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto as T  # noqa: E402
from onnx import helper  # noqa: E402


def saved(
    path: Path, inputs: list[Any], outputs: list[Any], nodes: list[Any], constants: Any = None
) -> Path:
    """Write a model made of a few nodes."""
    initializers = [
        helper.make_tensor(name, kind, np.shape(values), np.ravel(values).tolist())
        for name, (kind, values) in (constants or {}).items()
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def linear(path: Path, rows: Any = "n") -> Path:
    """x [rows, 3] -> 1 * a + 10 * b + 100 * c, of shape [rows, 1]."""
    return saved(
        path,
        [("x", T.FLOAT, [rows, 3])],
        [("y", T.FLOAT, [rows, 1])],
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"w": (T.FLOAT, [[1.0], [10.0], [100.0]])},
    )


def mixed(path: Path) -> Path:
    """a float, n int64, t text, each [n, 1] -> sum float, double int64, same text."""
    return saved(
        path,
        [("a", T.FLOAT, ["n", 1]), ("n", T.INT64, ["n", 1]), ("t", T.STRING, ["n", 1])],
        [("sum", T.FLOAT, ["n", 1]), ("double", T.INT64, ["n", 1]), ("same", T.STRING, ["n", 1])],
        [
            helper.make_node("Cast", ["n"], ["f"], to=T.FLOAT),
            helper.make_node("Add", ["a", "f"], ["sum"]),
            helper.make_node("Add", ["n", "n"], ["double"]),
            helper.make_node("Identity", ["t"], ["same"]),
        ],
    )


def function(path: Path, **given: str) -> ModelFunction:
    return model_function("score", str(path), given, ScoringLoop())


def call(path: Path, values: list[Any], **given: str) -> Column:
    made = function(path, **given)
    made.check([Type.ANY], Span(0, 1), [Span(0, 1)])
    return made.call([from_values(values)], len(values))


@pytest.mark.parametrize("rows", ["n", 1, 4])
@pytest.mark.parametrize("batch", ["1", "3", "1000"])
@pytest.mark.parametrize(
    "values",
    [
        [[i, i + 0.5, 2] for i in range(10)],
        [{"p": i, "q": i + 0.5, "r": 2} for i in range(10)],
        [{"x": [i, i + 0.5, 2]} for i in range(10)],
    ],
)
def test_arrays_and_records_whatever_the_batch(
    tmp_path: Path, rows: Any, batch: str, values: list[Any]
) -> None:
    column = call(linear(tmp_path / "m.onnx", rows), values, max_batch_count=batch)
    assert column.type is Type.FLOAT
    assert column.to_pylist() == [i + 10 * (i + 0.5) + 200 for i in range(10)]


@pytest.mark.parametrize("values", [[[1.5, 2, "x"]] * 2, [{"n": 2.0, "t": "x", "a": 1.5}] * 2])
def test_inputs_by_name_and_outputs_as_a_record(tmp_path: Path, values: list[Any]) -> None:
    path = mixed(tmp_path / "m.onnx")
    column = call(path, values)
    assert column.type is Type.RECORD
    assert column.to_pylist() == [{"sum": 3.5, "double": 4, "same": "x"}] * 2
    assert call(path, values, output="double").type is Type.BIGINT
    assert call(path, values, output="same, sum").to_pylist() == [{"same": "x", "sum": 3.5}] * 2


def test_scalars_and_vectors(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.onnx",
        [("x", T.DOUBLE, ["n"])],
        [("y", T.DOUBLE, ["n", 2]), ("b", T.BOOL, ["n"])],
        [
            helper.make_node("Unsqueeze", ["x", "one"], ["c"]),
            helper.make_node("Mul", ["c", "w"], ["y"]),
            helper.make_node("Less", ["x", "two"], ["b"]),
        ],
        {"one": (T.INT64, [1]), "w": (T.DOUBLE, [[1.0, 0.5]]), "two": (T.DOUBLE, [2.0])},
    )
    found = [{"y": [1.0, 0.5], "b": True}, {"y": [3.0, 1.5], "b": False}]
    assert call(path, [1, 3]).to_pylist() == found
    assert call(path, [1, 3], output="y").type is Type.ARRAY
    assert call(path, [1, 3], output="b").type is Type.BIT


def test_a_classifier_of_trees_with_a_map_of_probabilities(tmp_path: Path) -> None:
    """What converters of scikit-learn's models make: labels, and a sequence of maps."""
    nodes = [
        helper.make_node(
            "TreeEnsembleClassifier",
            ["x"],
            ["label", "p"],
            domain="ai.onnx.ml",
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[0, 0, 0],
            nodes_values=[0.5, 0.0, 0.0],
            nodes_hitrates=[1.0, 1.0, 1.0],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            nodes_missing_value_tracks_true=[0, 0, 0],
            class_treeids=[0, 0, 0, 0],
            class_nodeids=[1, 1, 2, 2],
            class_ids=[0, 1, 0, 1],
            class_weights=[0.75, 0.25, 0.5, 0.5],
            classlabels_int64s=[7, 9],
            post_transform="NONE",
        ),
        helper.make_node(
            "ZipMap", ["p"], ["chances"], domain="ai.onnx.ml", classlabels_int64s=[7, 9]
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "trees",
        [helper.make_tensor_value_info("x", T.FLOAT, ["n", 2])],
        [
            helper.make_tensor_value_info("label", T.INT64, ["n"]),
            helper.make_value_info(
                "chances",
                helper.make_sequence_type_proto(
                    helper.make_map_type_proto(T.INT64, helper.make_tensor_type_proto(T.FLOAT, []))
                ),
            ),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rows = [[0, 1], [1, 1]]
    labels, _ = session.run(None, {"x": np.array(rows, np.float32)})
    assert call(path, rows, threads="1").to_pylist() == [
        {"label": int(labels[0]), "chances": {"7": 0.75, "9": 0.25}},
        {"label": int(labels[1]), "chances": {"7": 0.5, "9": 0.5}},
    ]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            [1, 2],
            r"was not asked: a row of shape \[2\] for the model's input 'x', which takes \[3\]",
        ),
        ([1, 2, "3"], r"'3' for the model's input 'x', which takes FP32"),
        ([1, None, 3], r"null for the model's input 'x', which takes FP32"),
        ([1, True, 3], r"True for the model's input 'x', which takes FP32"),
        ([1, [2], 3], "for the model's input 'x'"),
        ({"p": 1, "q": 2}, r"a row of shape \[2\]"),
        (None, "a row of shape one value for the model's input 'x'"),
        ([3e38, 3e38, 3e38], "NaN or infinity"),
    ],
)
@pytest.mark.parametrize("batch", ["2", "1000"])
def test_a_row_that_does_not_fit_is_found(tmp_path: Path, bad: Any, said: str, batch: str) -> None:
    path = linear(tmp_path / "m.onnx")
    values = [[0, 0, 1], [0, 0, 2], bad, [0, 0, 3]]
    with pytest.raises(FunctionError, match=said) as caught:
        call(path, values, max_batch_count=batch)
    assert caught.value.row == 2
    found = call(path, values, max_batch_count=batch, on_error="null").to_pylist()
    assert found == [100, 200, None, 300]


def test_numbers_beyond_the_input(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.onnx",
        [("x", T.UINT8, ["n"])],
        [("y", T.UINT8, ["n"])],
        [helper.make_node("Identity", ["x"], ["y"])],
    )
    assert call(path, [1, 255, 256, -1], on_error="null").to_pylist() == [1, 255, None, None]
    with pytest.raises(FunctionError, match="a number beyond UINT8 for the model's input 'x'"):
        call(path, [256])


def test_outputs_that_are_no_rows(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "m.onnx",
        [("x", T.FLOAT, ["n"])],
        [("y", T.FLOAT, [])],
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
    )
    with pytest.raises(FunctionError, match=r"answered an output 'y' of shape \[\] for 1 rows"):
        call(path, [1.0, 2.0])


def test_a_whole_query(tmp_path: Path) -> None:
    path = linear(tmp_path / "m.onnx")
    rows = [{"id": i, "a": i, "b": i / 2, "c": None if i == 3 else 1} for i in range(6)]
    query = "WITH r AS (SELECT a, b, c FROM input) SELECT udf.score(r) AS y FROM r"
    for policy, kept in (("skip", []), ("default: -1", [-1])):
        with streamql.Engine() as engine:
            engine.register("input", rows)
            engine.model("score", str(path), on_error=policy, max_batch_count=4)
            found = [row["y"] for row in engine.sql(query).fetchall()]
        expected = [i + 5 * i + 100 for i in range(6)]
        assert found == [*expected[:3], *kept, *expected[4:]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"output": "z"}, "has no output 'z'"),
        ({"output": "y,"}, "score.output takes a text that is not empty"),
        ({"threads": "none"}, "score.threads takes a whole number"),
        ({"protocol": "mlflow"}, "score.protocol=mlflow is for models behind HTTP"),
        ({"key": "env:K"}, "score.key is a setting of models behind HTTP; score runs in this"),
        ({"header.X-Tenant": "t"}, "score.header.X-Tenant is a setting of models behind HTTP"),
        ({"breaker_pause": "30s"}, "score.breaker_pause is a setting of models behind HTTP"),
        ({"max_batch_count": "auto"}, "score.max_batch_count=auto is for models behind HTTP"),
        ({"isolate": "true"}, "score.isolate is a setting of entry scripts"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call(linear(tmp_path / "m.onnx"), [[1, 2, 3]], **given)
    assert call(tmp_path / "m.onnx", [[1, 2, 3]], protocol="onnx").to_pylist() == [321]


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    (tmp_path / "empty.onnx").write_bytes(b"")
    for name in ("text", "empty"):
        with pytest.raises(UsageError, match=rf"{name}.onnx is no ONNX model: "):
            call(tmp_path / f"{name}.onnx", [1])
    with pytest.raises(UsageError, match="there is no file"):
        call(tmp_path / "none.onnx", [1])


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = linear(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match="needs ONNX Runtime") as caught:
        call(path, [[1, 2, 3]])
    assert caught.value.hint == "pip install 'streamql[onnx]'"


def test_the_command_line(tmp_path: Path) -> None:
    linear(tmp_path / "m.onnx")
    (tmp_path / "in.jsonl").write_text('{"a": 1, "b": 2, "c": 3}\n')
    query = "WITH r AS (SELECT a, b, c FROM input) SELECT udf.score(r) AS y FROM r"
    command = [sys.executable, "-m", "streamql", "run", "--query", query, "--quiet"]
    ran = subprocess.run(
        [*command, "--input", "in.jsonl", "--function", "score=m.onnx"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == '{"y":321.0}\n'
