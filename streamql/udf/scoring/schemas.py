"""JSON Schemas as servers publish them: made safe to use, turned into SQL types, told in words.

A published schema is somebody else's text. `plain` copies only the keywords that describe values,
replaces references by what they point to (a circular one by "anything"), and stops after a number
of nodes, so that what comes out is a small, valid, finite JSON Schema whatever came in.
"""

from __future__ import annotations

import math
from typing import Any

from ...types import Type

Schema = dict[str, Any]

_MOST_NODES = 5_000
_DEEPEST = 60
_LONGEST_ENUM = 1_000
_TYPES = {
    "number": Type.FLOAT,
    "integer": Type.BIGINT,
    "string": Type.TEXT,
    "boolean": Type.BIT,
    "object": Type.RECORD,
    "array": Type.ARRAY,
}
_ONE = ("items", "not", "additionalProperties")
_MANY = ("anyOf", "oneOf", "allOf", "prefixItems")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_LENGTHS = ("minItems", "maxItems", "minLength", "maxLength")


def plain(schema: object, document: object = None) -> Schema:
    """Return a schema of swagger 2, OpenAPI 3.0 or 3.1 as a self-contained JSON Schema.

    `document` is where local references (`#/definitions/Row`) point into. What cannot be
    understood is left out, so that the result allows at least what the original does.
    """
    return _Copy(document).of(schema, 0, ())


class _Copy:
    """Copies one schema; `_left` nodes at most."""

    def __init__(self, document: object) -> None:
        self._document = document
        self._left = _MOST_NODES

    def of(self, schema: object, depth: int, following: tuple[str, ...]) -> Schema:
        self._left -= 1
        if not isinstance(schema, dict) or self._left < 0 or depth > _DEEPEST:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in following:
                return {}
            return self.of(_target(self._document, reference), depth + 1, (*following, reference))
        made = _values(schema)
        for name in _ONE:
            if isinstance(schema.get(name), dict):
                made[name] = self.of(schema[name], depth + 1, following)
        for name in _MANY:
            if isinstance(schema.get(name), list) and schema[name]:
                made[name] = [self.of(one, depth + 1, following) for one in schema[name]]
        if isinstance(schema.get("properties"), dict):
            made["properties"] = {
                str(name): self.of(one, depth + 1, following)
                for name, one in schema["properties"].items()
                if self._left > 0
            }
        if self._left < 0:
            # a list that was cut short must not refuse what the whole one allows
            return {name: made[name] for name in ("type", "properties") if name in made}
        return made


def _values(schema: Schema) -> Schema:
    """Return the keywords that hold no schemas, those that make sense."""
    made: Schema = {}
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and kinds and all(k in (*_TYPES, "null") for k in map(str, kinds)):
        if schema.get("nullable") is True or schema.get("x-nullable") is True:
            kinds = [*kinds, "null"]  # OpenAPI 3.0 and swagger 2 have no type null
        kinds = list(dict.fromkeys(kinds))
        made["type"] = kinds if len(kinds) > 1 else kinds[0]
    allowed = schema.get("enum")
    if isinstance(allowed, list) and 0 < len(allowed) <= _LONGEST_ENUM:
        made["enum"] = allowed
    if "const" in schema:
        made["const"] = schema["const"]
    required = schema.get("required")
    if isinstance(required, list) and all(isinstance(name, str) for name in required):
        made["required"] = required
    for name in _LENGTHS:
        if type(schema.get(name)) is int and schema[name] >= 0:
            made[name] = schema[name]
    made |= _bounds(schema)
    return made


def _bounds(schema: Schema) -> Schema:
    made = {name: schema[name] for name in _BOUNDS if _is_number(schema.get(name))}
    if "multipleOf" in made and made["multipleOf"] <= 0:
        del made["multipleOf"]
    for name, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(name) is True and bound in made:  # as OpenAPI 3.0 writes it
            made[name] = made.pop(bound)
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _target(document: object, reference: str) -> object:
    """Return what a local reference points to, None for nothing (or another document)."""
    if not reference.startswith("#"):
        return None
    found = document
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def followed(schema: object, document: object) -> Schema:
    """Return a schema, or the one its reference leads to; empty when it leads nowhere."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict):
            return {}
        if not isinstance(schema.get("$ref"), str):
            return schema
        schema = _target(document, schema["$ref"])
    return {}


def type_of(schema: Schema) -> Type:
    """Return the SQL type of all values of a plain schema, `any` when there is no single one.

    A value may be null beside: every SQL type has NULL.
    """
    kinds = schema.get("type")
    if kinds is not None:
        known = {k for k in ([kinds] if isinstance(kinds, str) else kinds) if k != "null"}
        if known == {"integer", "number"}:
            return Type.FLOAT
        return _TYPES[known.pop()] if len(known) == 1 else Type.ANY
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            types = {type_of(one) for one in schema[name] if one.get("type") != "null"}
            return types.pop() if len(types) == 1 else Type.ANY
    return Type.ANY


def spoken(schema: Schema | None) -> str:
    """Return what a plain schema allows, in the words of the query language."""
    if not schema:
        return "unknown"
    kind = type_of(schema)
    if kind is Type.RECORD and schema.get("properties"):
        fields = [f"{name} {type_of(one)}" for name, one in schema["properties"].items()]
        more = ", ..." if len(fields) > 20 else ""
        return f"record ({', '.join(fields[:20])}{more})"
    if kind is Type.ARRAY:
        if "prefixItems" in schema:
            return f"array ({', '.join(str(type_of(one)) for one in schema['prefixItems'])})"
        count = schema.get("minItems")
        fixed = f"{count} x " if count is not None and count == schema.get("maxItems") else ""
        return f"array of {fixed}{spoken(schema.get('items')).replace('unknown', 'any')}"
    return str(kind)
