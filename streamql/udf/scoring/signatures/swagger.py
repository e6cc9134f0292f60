"""Signatures from swagger 2, OpenAPI 3.0 and 3.1, as Azure ML publishes them."""

from __future__ import annotations

from typing import Any

from ..schemas import Schema, followed, plain
from ..signature import Signature

_INPUTS = ("ServiceInput", "ExecutionRequest")
_OUTPUTS = ("ServiceOutput", "ExecutionResponse", "ExecutionResults")
_RESULTS = ("result", "results", "Results", "predictions")
_SIDE = ("GlobalParameters",)
_JSON = "application/json"


def of_swagger(
    document: object, source: str, path: str = "", parameter: str | None = None
) -> Signature | None:
    """Return the signature of the scoring operation, None when the document describes none.

    Args:
        document: the parsed JSON.
        source: where it was read.
        path: the path that is called, which chooses the operation.
        parameter: the name of the rows, where the settings say it.

    The operation is the POST of this path, else that of a path that ends with /score, else the
    only POST; without one, the definitions ServiceInput or ExecutionRequest and their output.
    """
    if not isinstance(document, dict) or not ("swagger" in document or "openapi" in document):
        return None
    place, operation = _operation(document, path)
    definitions = _definitions(document)
    named = next((definitions[name] for name in _INPUTS if name in definitions), None)
    given = _request(document, operation) or followed(named, document)
    if operation is None and named is None:
        return None
    answers = next((definitions[name] for name in _OUTPUTS if name in definitions), None)
    answer = _response(document, operation) or followed(answers, document)
    rows, settings = _rows(given, document, parameter)
    results, more = _results(answer, document)
    row = plain(rows.get("items"), document) if rows else {}
    result = plain(results.get("items"), document) if results else {}
    note = ""
    if not row and not result:
        note = "it says nothing about rows and answers, as for scripts without decorators"
    return Signature(source, row or None, result or None, settings | more, place, note)


def _operation(document: Schema, path: str) -> tuple[str | None, Schema | None]:
    """Return the scoring operation with its path."""
    paths = document.get("paths")
    found = {
        str(name): item["post"]
        for name, item in (paths.items() if isinstance(paths, dict) else ())
        if isinstance(item, dict) and isinstance(item.get("post"), dict)
    }
    wanted = path.rstrip("/")
    for name, operation in found.items():
        if wanted and wanted.endswith(name.rstrip("/")) and name.strip("/"):
            return name, operation
    for name, operation in found.items():
        if name.rstrip("/").endswith("/score"):
            return name, operation
    if len(found) == 1:
        return next(iter(found.items()))
    return None, None


def _definitions(document: Schema) -> Schema:
    components = document.get("components")
    inner = components.get("schemas") if isinstance(components, dict) else None
    found = document.get("definitions") if inner is None else inner
    return found if isinstance(found, dict) else {}


def _request(document: Schema, operation: Schema | None) -> Schema:
    if operation is None:
        return {}
    body = followed(operation.get("requestBody"), document)
    if body:
        return _content(body, document)
    parameters = operation.get("parameters")
    for one in parameters if isinstance(parameters, list) else ():
        one = followed(one, document)
        if one.get("in") == "body":
            return followed(one.get("schema"), document)
    return {}


def _response(document: Schema, operation: Schema | None) -> Schema:
    responses = operation.get("responses") if operation else None
    if not isinstance(responses, dict):
        return {}
    good = followed(responses.get("200", responses.get("default")), document)
    return followed(good.get("schema"), document) or _content(good, document)


def _content(holder: Schema, document: Schema) -> Schema:
    content = holder.get("content")
    if not isinstance(content, dict) or not content:
        return {}
    chosen = content.get(_JSON, next(iter(content.values())))
    return followed(chosen.get("schema") if isinstance(chosen, dict) else None, document)


def _properties(schema: Schema, document: Schema) -> dict[str, Schema]:
    found = schema.get("properties")
    if not isinstance(found, dict):
        return {}
    return {str(name): followed(one, document) for name, one in found.items()}


def _is_list(schema: Schema) -> bool:
    return schema.get("type") == "array" or "items" in schema


def _rows(
    body: Schema, document: Schema, parameter: str | None
) -> tuple[Schema | None, dict[str, Any]]:
    """Return the schema of the list of rows, and the names on the way to it."""
    members = _properties(body, document)
    if "Inputs" in members:
        inner = _properties(members["Inputs"], document)
        lists = [name for name, one in inner.items() if _is_list(one)]
        if lists:
            return inner[lists[0]], {"input_name": lists[0]}
    lists = [name for name, one in members.items() if _is_list(one) and name not in _SIDE]
    if parameter in lists:
        return members[parameter], {"parameter": parameter}
    if not lists:
        return None, {}
    return members[lists[0]], {"parameter": lists[0]}


def _results(answer: Schema, document: Schema) -> tuple[Schema | None, dict[str, Any]]:
    """Return the schema of the list of results, and the names on the way to it."""
    if _is_list(answer):
        return answer, {}
    members = _properties(answer, document)
    for name in _RESULTS:
        if name in members:
            found = members[name]
            if _is_list(found):
                return found, {}
            for inner, one in _properties(found, document).items():
                if _is_list(one):
                    return one, {"output_name": inner}
    return None, {}
