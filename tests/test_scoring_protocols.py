"""Each protocol: the body of a request, the results in an answer, the address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import protocol_bodies
import pytest
from adversary import Adversary, Reply
from scoring_model import Model

from streamql.errors import FunctionError
from streamql.udf.scoring import ScoringLoop, ScoringSettings
from streamql.udf.scoring.place import Place
from streamql.udf.scoring.protocols.catalog import PROTOCOLS
from streamql.udf.scoring.protocols.protocol import BadAnswer, BadRow, Protocol
from streamql.udf.scoring.tensors import Tensor


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


def protocol(name: str, **given: str) -> Protocol:
    return ScoringSettings.from_strings({"protocol": name, **given}).protocol


def body(one: Protocol, rows: list[Any]) -> Any:
    return json.loads(one.body([",".join(json.dumps(row) for row in rows).encode()]))


X = {"name": "x", "datatype": "FP64"}


@pytest.mark.parametrize(
    ("name", "given", "rows", "expected"),
    [
        ("azureml", {"parameter": "rides"}, [[1], {"a": 2}], {"rides": [[1], {"a": 2}]}),
        ("mlflow", {}, [{"a": 1}, {"a": 2}], {"dataframe_records": [{"a": 1}, {"a": 2}]}),
        ("mlflow", {}, [None, None, {"a": 1}], {"dataframe_records": [None, None, {"a": 1}]}),
        ("mlflow", {}, [[1, 2], [3, 4]], {"inputs": [[1, 2], [3, 4]]}),
        ("mlflow", {}, [None, "a"], {"inputs": [None, "a"]}),
        ("mlflow", {}, [None], {"inputs": [None]}),
        ("kserve-v1", {}, [[1], {"a": "b"}], {"instances": [[1], {"a": "b"}]}),
        ("tensorflow", {}, [1.5], {"instances": [1.5]}),
        (
            "tensorflow",
            {"signature_name": "top"},
            [[1]],
            {"signature_name": "top", "instances": [[1]]},
        ),
        (
            "kserve-v2",
            {},
            [[1, 2.5], [3, 4]],
            {
                "inputs": [
                    {
                        "name": "input-0",
                        "shape": [2, 2],
                        "datatype": "FP64",
                        "data": [1, 2.5, 3, 4],
                    }
                ]
            },
        ),
        (
            "kserve-v2",
            {"input_name": "x", "output_name": "y"},
            [7],
            {"inputs": [X | {"shape": [1, 1], "data": [7]}], "outputs": [{"name": "y"}]},
        ),
        (
            "kserve-v2",
            {},
            [{"a": 1, "b": "s", "c": True}, {"c": False, "a": 2, "b": "t"}],
            {
                "inputs": [
                    {"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]},
                    {"name": "b", "shape": [2, 1], "datatype": "BYTES", "data": ["s", "t"]},
                    {"name": "c", "shape": [2, 1], "datatype": "BOOL", "data": [True, False]},
                ]
            },
        ),
        ("openai-embeddings", {}, ["a", ""], {"input": ["a", ""], "encoding_format": "float"}),
        (
            "openai-embeddings",
            {"model": "m", "dimensions": "3"},
            ["a"],
            {"input": ["a"], "encoding_format": "float", "model": "m", "dimensions": 3},
        ),
    ],
)
def test_body(name: str, given: dict[str, str], rows: list[Any], expected: Any) -> None:
    assert body(protocol(name, **given), rows) == expected


@pytest.mark.parametrize("one", PROTOCOLS, ids=lambda one: one.name)
def test_envelope_without_rows(one: type[Protocol]) -> None:
    assert json.loads(one().body([b""])) is not None


@pytest.mark.parametrize(
    ("inputs", "rows", "sent"),
    [
        ([("x", "FP32", (-1, 3))], [[1, 2, 3]], [((1, 3), [1, 2, 3])]),
        ([("x", "FP32", (-1, 3))], [{"a": 1, "b": 2, "c": 3}], [((1, 3), [1, 2, 3])]),
        ([("x", "FP32", (-1, 2))], [{"x": [1, 2]}, {"x": [3, 4]}], [((2, 2), [1, 2, 3, 4])]),
        ([("x", "FP32", (-1,))], [1, [2]], None),
        ([("x", "FP32", (-1,))], [[1], [2]], [((2,), [1, 2])]),
        ([("x", "FP32", (-1, 1))], [1, 2], [((2, 1), [1, 2])]),
        ([("x", "FP32", (-1, 1, 1))], [1], [((1, 1, 1), [1])]),
        ([("x", "FP32", (-1, 2, 2))], [[[1, 2], [3, 4]]], [((1, 2, 2), [1, 2, 3, 4])]),
        ([("x", "INT64", (-1,))], [1, 2.0], [((2,), [1, 2])]),
        ([("x", "BYTES", (-1,))], ["a"], [((1,), ["a"])]),
        (
            [("a", "INT32", (-1,)), ("b", "BYTES", (-1, 1))],
            [{"b": "s", "a": 1, "more": None}],
            [((1,), [1]), ((1, 1), ["s"])],
        ),
        (
            [("a", "INT32", (-1,)), ("b", "BYTES", (-1, 1))],
            [[1, "s"], [2, "t"]],
            [((2,), [1, 2]), ((2, 1), ["s", "t"])],
        ),
    ],
)
def test_rows_fit_the_models_inputs(inputs: Any, rows: list[Any], sent: Any) -> None:
    tensors = tuple(Tensor(*one) for one in inputs)
    made = protocol("kserve-v2").learned({"inputs": tensors}, ())
    if sent is None:
        with pytest.raises(BadRow):
            body(made, rows)
        return
    found = [(tuple(one["shape"]), one["data"]) for one in body(made, rows)["inputs"]]
    assert found == sent


@pytest.mark.parametrize(
    ("name", "inputs", "rows", "said"),
    [
        ("kserve-v2", [("x", "FP32", (-1, 3))], [[1, 2]], "[2] for the model's input 'x'"),
        ("kserve-v2", [("x", "FP32", (-1, 3))], [7], "which takes [3]"),
        ("kserve-v2", [("x", "FP32", (-1,))], ["a"], "'a' for the model's input 'x'"),
        ("kserve-v2", [("x", "FP32", (-1,))], [None], "null for the model's input 'x'"),
        ("kserve-v2", [("x", "FP32", (-1,))], [True], "True for the model's input 'x'"),
        ("kserve-v2", [("x", "INT64", (-1,))], [1.5], "1.5 for the model's input 'x'"),
        ("kserve-v2", [("x", "BYTES", (-1,))], [1], "which takes BYTES"),
        ("kserve-v2", [("x", "FP32", (-1,))], [{"a": 1, "b": 2}], "which takes one value"),
        ("kserve-v2", [("a", "FP32", (-1,)), ("b", "FP32", (-1,))], [{"a": 1}], "no 'b'"),
        ("kserve-v2", [("a", "FP32", (-1,)), ("b", "FP32", (-1,))], [1], "2 inputs (a, b)"),
        ("kserve-v2", [], [[1, "a"]], "takes values of one type"),
        ("kserve-v2", [], [[1], [2, 3]], "arrays of different lengths"),
        ("kserve-v2", [], [[1], {"a": 1}], "records and other values"),
        ("kserve-v2", [], [[None]], "null for the model's input"),
        ("openai-embeddings", [], [[1, 2]], "a list of 2 instead of a text"),
        ("openai-embeddings", [], [None], "null instead of a text"),
    ],
)
def test_rows_that_cannot_be_sent(name: str, inputs: Any, rows: list[Any], said: str) -> None:
    tensors = tuple(Tensor(*one) for one in inputs)
    with pytest.raises(BadRow) as caught:
        body(protocol(name).learned({"inputs": tensors}, ()), rows)
    assert said in str(caught.value)


def outputs(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"outputs": list(listed)}


@pytest.mark.parametrize(
    ("name", "given", "answer", "results"),
    [
        ("azureml", {}, '{"result": [1]}', [1]),
        ("azureml-designer", {}, {"Results": [{"a": 1}]}, [{"a": 1}]),
        ("mlflow", {}, {"predictions": [[1, 2]]}, [[1, 2]]),
        (
            "mlflow",
            {},
            {"predictions": {"a": [1, 2], "b": [3, 4]}},
            [{"a": 1, "b": 3}, {"a": 2, "b": 4}],
        ),
        ("kserve-v1", {}, {"predictions": [{"x": 1}]}, [{"x": 1}]),
        ("kserve-v2", {}, outputs(protocol_bodies.tensor([1, 2])), [1, 2]),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [2, 1], "data": [1, 2]}), [1, 2]),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [2, 1], "data": [[1], [2]]}), [1, 2]),
        (
            "kserve-v2",
            {},
            outputs({"name": "y", "shape": [2, 2, 1], "data": [1, 2, 3, 4]}),
            [[[1], [2]], [[3], [4]]],
        ),
        (
            "kserve-v2",
            {},
            outputs(protocol_bodies.tensor([1]), protocol_bodies.tensor(["a"], "z", "BYTES")),
            [{"y": 1, "z": "a"}],
        ),
        (
            "kserve-v2",
            {"output_name": "z"},
            outputs(protocol_bodies.tensor([1]), protocol_bodies.tensor(["a"], "z", "BYTES")),
            ["a"],
        ),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [2, 0], "data": []}), [[], []]),
        (
            "openai-embeddings",
            {},
            {"data": [{"index": 1, "embedding": [3]}, {"index": 0, "embedding": [1, 2]}]},
            [[1, 2], [3]],
        ),
        ("openai-embeddings", {}, {"data": [{"embedding": [1]}]}, [[1]]),
    ],
)
def test_results(name: str, given: dict[str, str], answer: Any, results: list[Any]) -> None:
    assert protocol(name, **given).rows(answer) == results


@pytest.mark.parametrize(
    ("name", "given", "answer", "said"),
    [
        ("azureml-designer", {}, {"Results": {"other": []}}, "instead of an object with"),
        ("mlflow", {}, [1], "a list of 1 instead of an object with 'predictions'"),
        ("mlflow", {}, {"predictions": {"a": [1], "b": [1, 2]}}, "outputs of different lengths"),
        ("mlflow", {}, {"predictions": {}}, "different lengths"),
        ("mlflow", {}, {"predictions": None}, "null instead of a list of results"),
        ("kserve-v1", {}, {"error": "no"}, "an object with 'error'"),
        ("kserve-v2", {}, {"error": "no"}, "an object with 'error'"),
        ("kserve-v2", {}, outputs(), "no outputs"),
        ("kserve-v2", {}, {"outputs": [1]}, "the value 1 as an output"),
        ("kserve-v2", {}, outputs({"name": "y", "data": [1]}), "'y' without a shape"),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [-1], "data": [1]}), "without a shape"),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [3], "data": [1]}), "[3] with 1 values"),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [10**12], "data": []}), "with 0 values"),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [2], "data": [[1], 2]}), "mixed"),
        ("kserve-v2", {}, outputs({"name": "y", "shape": [1], "data": "abc"}), "a text"),
        ("kserve-v2", {"output_name": "z"}, outputs(protocol_bodies.tensor([1])), "instead of z"),
        (
            "kserve-v2",
            {},
            outputs(protocol_bodies.tensor([1]), protocol_bodies.tensor([1, 2], "z")),
            "outputs of different lengths",
        ),
        ("openai-embeddings", {}, {"data": [{"index": 0}]}, "an object with 'embedding'"),
        ("openai-embeddings", {}, {"data": [7]}, "an object with 'embedding'"),
        ("openai-embeddings", {}, {"data": [{"index": 5, "embedding": []}]}, "the index 5"),
        ("openai-embeddings", {}, {"data": [{"index": 0, "embedding": []}] * 2}, "the index 0"),
    ],
)
def test_answers_that_make_no_sense(
    name: str, given: dict[str, str], answer: Any, said: str
) -> None:
    with pytest.raises(BadAnswer) as caught:
        protocol(name, **given).rows(answer)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "given", "url", "address"),
    [
        ("azureml", {}, "http://h/score?code=1", "http://h/score?code=1"),
        ("mlflow", {}, "http://h:1", "http://h:1/invocations"),
        ("mlflow", {}, "http://h:1/my/invocations", "http://h:1/my/invocations"),
        ("kserve-v1", {"model": "a b"}, "http://h/", "http://h/v1/models/a%20b:predict"),
        ("kserve-v1", {}, "http://h/v1/models/m", "http://h/v1/models/m:predict"),
        ("tensorflow", {}, "http://h/v1/models/m:predict", "http://h/v1/models/m:predict"),
        (
            "tensorflow",
            {},
            "http://h/v1/models/m/versions/2",
            "http://h/v1/models/m/versions/2:predict",
        ),
        ("kserve-v2", {"model": "m"}, "http://h", "http://h/v2/models/m/infer"),
        ("kserve-v2", {"model": "m"}, "http://h/proxy", "http://h/proxy/v2/models/m/infer"),
        ("kserve-v2", {"model": "m"}, "http://h/v2", "http://h/v2/models/m/infer"),
        ("kserve-v2", {}, "http://h/v2/models/m", "http://h/v2/models/m/infer"),
        ("kserve-v2", {}, "http://h/v2/models/m/infer?k=v", "http://h/v2/models/m/infer?k=v"),
        ("kserve-v2", {}, "http://h/other", "http://h/other"),
        ("openai-embeddings", {}, "http://h", "http://h/v1/embeddings"),
        ("openai-embeddings", {}, "http://h/v1/", "http://h/v1/embeddings"),
        ("openai-embeddings", {}, "http://h/openai/x", "http://h/openai/x"),
    ],
)
def test_address(name: str, given: dict[str, str], url: str, address: str) -> None:
    assert protocol(name, **given).address(Place(url)) == address


@pytest.mark.parametrize("name", ["kserve-v1", "kserve-v2"])
def test_address_without_a_model(name: str) -> None:
    with pytest.raises(ValueError, match="model=NAME"):
        protocol(name).address(Place("http://h"))


def test_rows_that_do_not_fit_among_many(loop: ScoringLoop) -> None:
    def behave(request: Any) -> Reply:
        return Reply(protocol_bodies.ANSWERS["kserve-v2"]([row[0] for row in request.rows]))

    rows: list[Any] = [[n, 1] for n in range(100)]
    rows[41], rows[77] = [41, "a"], [77, None]
    with Adversary(behave) as server:
        model = Model(server, loop, protocol="kserve-v2", on_error="null")
        assert model.score(rows) == [None if n in (41, 77) else n for n in range(100)]
        with pytest.raises(FunctionError) as caught:
            Model(server, loop, protocol="kserve-v2").score(rows)
    assert caught.value.row == 41
    assert "was not asked: 'a' for the model's input 'input-0'" in caught.value.message
