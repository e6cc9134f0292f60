"""Whether a file says what it may: its JSON Schema, told in words a person understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError, suggest


def refuse_misfit(place: str, content: Any, schema: Mapping[str, Any], noun: str = "key") -> None:
    """Check content against a schema; raise UsageError with the nearest name for a strange one.

    `place` is the file, `noun` what its keys are called.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(content))
    if error is None:
        return
    inside = ".".join(str(part) for part in error.absolute_path)
    where = f"{place}: {inside}" if inside else place
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        strange = next(key for key in error.instance if key not in known)
        hint = suggest(strange, known) or "there is " + ", ".join(known)
        raise UsageError(f"{where}: no {noun} {strange!r}", hint=hint)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        raise UsageError(f"{where}: {missing} is missing")
    raise UsageError(f"{where} takes {_wanted(error)}, found {_shown(error.instance)}")


def _wanted(error: Any) -> str:
    if error.validator == "enum":
        return " or ".join(_shown(value) for value in error.validator_value)
    if error.validator == "minimum":
        return f"a number from {error.validator_value} on"
    words = {
        "object": "a table",
        "array": "a list",
        "string": "a text",
        "boolean": "true or false",
        "number": "a number",
        "integer": "a whole number",
        "null": "null",
    }
    kinds = error.validator_value
    if kinds == ["string", "number", "boolean"]:
        return "one value"
    return " or ".join(words.get(k, k) for k in ([kinds] if isinstance(kinds, str) else kinds))


def _shown(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, default=str)[:60]
