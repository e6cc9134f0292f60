"""How a server reads the rows of a request and writes its results, for each protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rows(body: dict[str, Any]) -> list[Any]:
    """Return the rows of a request, whatever its protocol."""
    if "Inputs" in body:
        return body["Inputs"]["WebServiceInput0"]
    if "encoding_format" in body:
        return body["input"]
    for name in ("instances", "dataframe_records"):
        if name in body:
            return body[name]
    if "inputs" in body and body["inputs"] and isinstance(body["inputs"][0], dict):
        return _of_tensors(body["inputs"])
    found = body["inputs"] if "inputs" in body else next(iter(body.values()))
    assert isinstance(found, list)
    return found


def _of_tensors(inputs: list[dict[str, Any]]) -> list[Any]:
    columns = {}
    for one in inputs:
        count, width = one["shape"][0], 1
        for length in one["shape"][1:]:
            width *= length
        assert len(one["data"]) == count * width
        data = [one["data"][at : at + width] for at in range(0, count * width, width or 1)]
        columns[one["name"]] = [row[0] for row in data] if width == 1 else data
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def tensor(results: list[Any], name: str = "y", datatype: str = "FP64") -> dict[str, Any]:
    """Return an output of the open inference protocol."""
    shape, data = [len(results)], results
    if results and isinstance(results[0], list):
        shape, data = [*shape, len(results[0])], [v for row in results for v in row]
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


ANSWERS: dict[str, Callable[[list[Any]], Any]] = {
    "azureml": lambda results: results,
    "azureml-designer": lambda results: {"Results": {"WebServiceOutput0": results}},
    "mlflow": lambda results: {"predictions": results},
    "kserve-v1": lambda results: {"predictions": results},
    "tensorflow": lambda results: {"predictions": results},
    "kserve-v2": lambda results: {"model_name": "m", "outputs": [tensor(results)]},
    "openai-embeddings": lambda results: {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": one if one is None else [one]}
            for at, one in enumerate(results)
        ],
    },
}
"""The body of an answer with these results, by protocol."""
