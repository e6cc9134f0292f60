"""GetMetadataPropertyValue: properties of the message that brought an event."""

from __future__ import annotations

import re

from ..batch import MAIN
from ..errors import BindError, Span, suggest
from ..expressions.nodes import META, Call, Cast, Coalesce, Expr, Field, Literal
from ..functions.metadata import METADATA
from ..syntax import nodes as ast
from ..types import Type
from .scope import Scope, Source

NAME = "getmetadatapropertyvalue"

_PART = re.compile(r"\s*(?:\[((?:[^\]]|\]\])+)\]|\"((?:[^\"]|\"\")+)\"|([^\[\]\".]+))\s*")
_DATETIMES = frozenset(
    [
        ("eventhub", "eventenqueuedutctime"),
        ("eventhub", "eventprocessedutctime"),
        ("iothub", "enqueuedtime"),
        ("bloblastmodifiedutctime",),
    ]
)
"""Properties that are datetimes, which JSON can only write as text."""


def bind_metadata(node: ast.Call, scope: Scope) -> Expr:
    """Return the value of a property; NULL where the message does not have it.

    `EventId` is a GUID made of the input's name and the event's number, unless the message has one.
    Raises BindError when the arguments are no input of FROM and no text that names a property.
    """
    if len(node.arguments) != 2:
        raise BindError(
            f"{node.name.text} takes 2 arguments, found {len(node.arguments)}",
            node.span,
            f"write {node.name.text}(input, '[EventHub].[PartitionKey]')",
        )
    source = _source(node, node.arguments[0], scope)
    path = _path(node.arguments[1])
    relation = META if source.key == MAIN else f"{META}.{source.key}"
    found = Field(Type.ANY, node.span, relation, ("properties", *path))
    lowered = tuple(name.lower() for name in path)
    if lowered == ("eventid",):
        return Coalesce(Type.ANY, node.span, (found, _event_id(source, relation, node.span)))
    return Cast(Type.DATETIME, node.span, found, True) if lowered in _DATETIMES else found


def _event_id(source: Source, relation: str, span: Span) -> Expr:
    name = Literal(Type.TEXT, span, source.table.lower())
    number = Field(Type.BIGINT, span, relation, ("event",))
    return Call(Type.TEXT, span, METADATA.functions["eventid"], (name, number))


def _source(node: ast.Call, argument: ast.Expr, scope: Scope) -> Source:
    """Return the input that the first argument names, by alias or by its own name."""
    environment = scope.environment
    inputs = [s for s in scope.sources if environment.input(s.table) is not None]
    takes = f"the 1st argument of {node.name.text} is an input of FROM"
    listed = "write " + " or ".join(s.alias for s in inputs) if inputs else None
    if not isinstance(argument, ast.Path) or len(argument.names) != 1:
        raise BindError(f"{takes}, found an expression", argument.span, listed)
    name = argument.names[0].text
    found = scope.source(name)
    if found is None:
        same = [s for s in inputs if s.table.lower() == name.lower()]
        found = same[0] if len(same) == 1 else None
    if found in inputs and found is not None:
        if environment.input(found.table) in environment.references:
            raise BindError(f"{name} is reference data, which has no messages", argument.span)
        return found
    if environment.step(found.table if found else name) is not None:
        raise BindError(
            f"{takes}, and {name} is a step",
            argument.span,
            "read the property in the step that reads the input, and select it from there",
        )
    if found is not None:
        raise BindError(f"{takes}, and {name} is none", argument.span, listed)
    if environment.input(name) is not None:
        raise BindError(f"this SELECT does not read {name}", argument.span, listed)
    raise BindError(
        f"unknown input {name}", argument.span, suggest(name, [s.alias for s in inputs]) or listed
    )


def _path(argument: ast.Expr) -> tuple[str, ...]:
    hint = "write '[EventHub].[PartitionKey]', 'IoTHub.EnqueuedTime', 'BlobName' or '[User].[name]'"
    if not isinstance(argument, ast.Literal) or not isinstance(argument.value, str):
        raise BindError("the property must be a text in quotes", argument.span, hint)
    path = property_path(argument.value)
    if path is None:
        raise BindError(f"{argument.value!r} names no property", argument.span, hint)
    return path


def property_path(text: str) -> tuple[str, ...] | None:
    """Return the names in a path like `[User].[a.b]` or `IoTHub.EnqueuedTime`; None if it is none.

    Names in brackets or double quotes may hold dots; the closing mark is doubled inside.
    """
    names: list[str] = []
    at = 0
    while True:
        part = _PART.match(text, at)
        if part is None:
            return None
        bracketed, quoted, plain = part.groups()
        if plain is not None and not plain.strip():
            return None
        if bracketed is not None:
            names.append(bracketed.replace("]]", "]"))
        elif quoted is not None:
            names.append(quoted.replace('""', '"'))
        else:
            names.append(plain.strip())
        at = part.end()
        if at == len(text):
            return tuple(names)
        if text[at] != ".":
            return None
        at += 1
