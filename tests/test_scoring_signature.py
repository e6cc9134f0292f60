"""Signatures: where they come from, the type they give a call, rows checked against them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from streamql.types import Type
from streamql.udf.scoring.place import Place
from streamql.udf.scoring.schemas import plain, spoken, type_of
from streamql.udf.scoring.signatures.metadata import of_metadata
from streamql.udf.scoring.signatures.onnx import of_session
from streamql.udf.scoring.signatures.swagger import of_swagger


def swagger(row: Any, answer: Any, name: str = "data") -> dict[str, Any]:
    """A swagger as Azure ML's server publishes it."""
    return {
        "swagger": "2.0",
        "paths": {
            "/": {"get": {}},
            "/score": {
                "post": {
                    "parameters": [
                        {"in": "body", "schema": {"$ref": "#/definitions/ServiceInput"}}
                    ],
                    "responses": {"200": {"schema": {"$ref": "#/definitions/ServiceOutput"}}},
                }
            },
        },
        "definitions": {
            "ServiceInput": {
                "type": "object",
                "properties": {name: {"type": "array", "items": row}},
            },
            "ServiceOutput": {"type": "array", "items": answer},
        },
    }


def openapi(version: str, row: Any, answer: Any) -> dict[str, Any]:
    def content(schema: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema}}}

    return {
        "openapi": version,
        "paths": {
            "/health": {"post": {}},
            "/api/score": {
                "post": {
                    "requestBody": content({"$ref": "#/components/schemas/In"}),
                    "responses": {"200": content({"$ref": "#/components/schemas/Out"})},
                }
            },
        },
        "components": {
            "schemas": {
                "In": {"type": "object", "properties": {"rows": {"type": "array", "items": row}}},
                "Out": {"type": "object", "properties": {"result": {"items": answer}}},
            }
        },
    }


NUMBER = {"type": "number", "format": "double"}
RIDE = {
    "type": "object",
    "required": ["vendor"],
    "properties": {"vendor": {"type": "integer"}, "day": {"type": "string"}},
}
CIRCULAR: dict[str, Any] = {
    "swagger": "2.0",
    "definitions": {
        "ServiceInput": {"properties": {"data": {"items": {"$ref": "#/definitions/Row"}}}},
        "Row": {"type": "object", "properties": {"next": {"$ref": "#/definitions/Row"}}},
        "ServiceOutput": {"$ref": "#/definitions/ServiceOutput"},
    },
}
# each level twice the one below: 2 to the power of 40 nodes
LAUGHS: dict[str, Any] = {
    "swagger": "2.0",
    "definitions": {
        "ServiceInput": {"properties": {"data": {"items": {"$ref": "#/definitions/L0"}}}},
        **{
            f"L{n}": {
                "type": "object",
                "properties": {k: {"$ref": f"#/definitions/L{n + 1}"} for k in "ab"},
            }
            for n in range(40)
        },
    },
}
DESIGNER = {
    "swagger": "2.0",
    "definitions": {
        "ExecutionRequest": {
            "properties": {
                "Inputs": {"properties": {"in1": {"type": "array", "items": RIDE}}},
                "GlobalParameters": {"type": "object"},
            }
        },
        "ExecutionResults": {
            "properties": {"Results": {"properties": {"out1": {"type": "array", "items": RIDE}}}}
        },
    },
}


@pytest.mark.parametrize(
    ("document", "settings", "row", "answer"),
    [
        (
            swagger({"type": "array", "items": NUMBER}, NUMBER),
            {"parameter": "data"},
            "array of float",
            "float",
        ),
        (
            swagger(RIDE, {"type": "string"}, "rides"),
            {"parameter": "rides"},
            "record (vendor bigint, day nvarchar(max))",
            "nvarchar(max)",
        ),
        (
            openapi("3.0.3", RIDE, {"type": "integer", "nullable": True}),
            {"parameter": "rows"},
            "record (vendor bigint, day nvarchar(max))",
            "bigint",
        ),
        (
            openapi(
                "3.1.0",
                {"prefixItems": [NUMBER, {"type": ["string", "null"]}]},
                {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            ),
            {"parameter": "rows"},
            "any",
            "bit",
        ),
        (
            openapi("3.1.0", {"type": "array", "prefixItems": [NUMBER, {"type": "string"}]}, RIDE),
            {"parameter": "rows"},
            "array (float, nvarchar(max))",
            "record (vendor bigint, day nvarchar(max))",
        ),
        (
            DESIGNER,
            {"input_name": "in1", "output_name": "out1"},
            "record (vendor bigint, day nvarchar(max))",
            "record (vendor bigint, day nvarchar(max))",
        ),
        (CIRCULAR, {"parameter": "data"}, "record (next any)", "unknown"),
        (LAUGHS, {"parameter": "data"}, "record (a record)", "unknown"),
        (swagger({}, {}), {"parameter": "data"}, "unknown", "unknown"),
        (
            swagger({"type": 7, "items": 3}, {"type": "nonsense"}),
            {"parameter": "data"},
            "unknown",
            "unknown",
        ),
        (
            {"swagger": "2.0", "definitions": {"ServiceInput": {"type": "object", "example": {}}}},
            {},
            "unknown",
            "unknown",
        ),
        (
            {"openapi": "3.0.0", "paths": {"/score": {"post": {"requestBody": []}}}},
            {},
            "unknown",
            "unknown",
        ),
    ],
)
def test_signature_of_swagger(document: Any, settings: Any, row: str, answer: str) -> None:
    began = time.process_time()
    found = of_swagger(document, "here")
    assert time.process_time() - began < 5
    assert found is not None
    assert found.settings == settings
    assert (spoken(found.row), spoken(found.answer)) == (row, answer)
    assert bool(found.note) == (row == answer == "unknown")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "swagger",
        {},
        {"swagger": "2.0"},
        {"openapi": "3.1.0", "paths": {"/a": {"post": {}}, "/b": {"post": {}}}},
        {"openapi": "3.1.0", "paths": 7, "components": [], "definitions": "x"},
    ],
)
def test_what_is_no_swagger_of_a_model(document: Any) -> None:
    assert of_swagger(document, "here") is None


def test_parameter_that_is_given_chooses_the_rows() -> None:
    document = swagger(NUMBER, NUMBER)
    members = document["definitions"]["ServiceInput"]["properties"]
    members["more"] = {"type": "array", "items": {"type": "string"}}
    assert of_swagger(document, "", parameter="more").settings == {"parameter": "more"}
    assert of_swagger(document, "", parameter="none").settings == {"parameter": "data"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "nullable": True}, {"type": ["integer", "null"]}),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"minimum": "a", "maxItems": -1, "multipleOf": 0, "enum": 7, "required": [1]}, {}),
        ({"pattern": "(a+)+$", "format": "x", "example": 1}, {}),
        ({"$ref": "other.json#/a"}, {}),
        ({"$ref": "#/nowhere"}, {}),
        ({"type": ["string", "nonsense"]}, {}),
        ({"additionalProperties": False}, {}),
        ({"anyOf": [{"type": "string"}, 7]}, {"anyOf": [{"type": "string"}, {}]}),
    ],
)
def test_published_schemas_are_made_plain(schema: Any, expected: Any) -> None:
    assert plain(schema, {}) == expected


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["integer", "number"]}, Type.FLOAT),
        ({"type": ["integer", "null"]}, Type.BIGINT),
        ({"type": ["integer", "string"]}, Type.ANY),
        ({"type": "null"}, Type.ANY),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, Type.ANY),
        ({"type": "boolean"}, Type.BIT),
        ({}, Type.ANY),
    ],
)
def test_type_of_a_schema(schema: Any, kind: Type) -> None:
    assert type_of(schema) is kind


def tensor(name: str, datatype: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


@pytest.mark.parametrize(
    ("inputs", "outputs", "row", "answer"),
    [
        ([tensor("x", "FP32", -1, 3)], [tensor("y", "FP32", -1)], "array of 3 x float", "float"),
        ([tensor("x", "INT64", -1, 1)], [tensor("y", "BOOL", -1, 1)], "bigint", "bit"),
        (
            [tensor("x", "BYTES", -1)],
            [tensor("y", "FP64", -1, 8)],
            "nvarchar(max)",
            "array of 8 x float",
        ),
        (
            [tensor("a", "INT32", -1), tensor("b", "BYTES", -1)],
            [tensor("y", "FP32", -1), tensor("z", "TYPE_FP32", -1)],
            "record (a bigint, b nvarchar(max))",
            "record (y float, z float)",
        ),
        ([tensor("x", "FP32", -1, -1)], [tensor("y", "FP32", -1, -1)], "unknown", "unknown"),
        ([], [], "unknown", "unknown"),
        ([{"name": 7}], [tensor("y", "ODD", -1)], "unknown", "unknown"),
    ],
)
def test_signature_of_metadata(inputs: Any, outputs: Any, row: str, answer: str) -> None:
    found = of_metadata({"name": "m", "inputs": inputs, "outputs": outputs}, "here")
    assert found is not None
    assert found.settings["model"] == "m"
    assert (spoken(found.row), spoken(found.answer)) == (row, answer)


@pytest.mark.parametrize("document", [None, {}, {"name": 7}, {"name": "m"}, []])
def test_what_is_no_metadata(document: Any) -> None:
    assert of_metadata(document, "here") is None


def test_signature_of_an_onnx_session() -> None:
    def node(name: str, kind: str, shape: Any) -> Any:
        return SimpleNamespace(name=name, type=kind, shape=shape)

    session = SimpleNamespace(
        get_inputs=lambda: [node("x", "tensor(float)", ["n", 4])],
        get_outputs=lambda: [
            node("label", "tensor(int64)", [None]),
            node("p", "sequence(map)", []),
        ],
    )
    found = of_session(session, "m.onnx")
    assert spoken(found.row) == "array of 4 x float"
    assert spoken(found.answer) == "record (label bigint, p any)"


def test_files_beside_a_model() -> None:
    urls = Place("http://h:1/api/v1/service/fares/score?code=1").beside("swagger.json")
    assert urls[0] == "http://h:1/api/v1/service/fares/swagger.json"
    assert urls[-1] == "http://h:1/swagger.json"
    assert Place("http://h").beside("x") == Place("http://h/score").beside("x") == ["http://h/x"]
