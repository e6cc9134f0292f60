"""What decides the rows of a job: its query, the functions it calls, and some settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ..runtime.identity import Identity
from ..settings import Settings
from ..syntax.expression_nodes import Call
from ..syntax.parser import parse
from ..syntax.printer import print_script

_RESULTS = (
    "compatibility_level",
    "arrival_field",
    "metadata_field",
    "late_arrival",
    "out_of_order",
    "policy",
    "replay",
    "js_deterministic",
)
"""The settings that change results. Others change speed, limits, or what becomes of errors."""


def identity_of(script: str, settings: Settings, made_of: Mapping[str, str]) -> Identity:
    """Return the identity of a script; `made_of` has the fingerprints of functions by alias."""
    tree = parse(script)
    called = {
        f"{prefix}.{alias}": made_of[alias]
        for prefix, alias in sorted(set(_user_calls(tree)))
        if alias in made_of
    }
    chosen = {name: getattr(settings, name) for name in _RESULTS}
    said = {name: _text(value) for name, value in chosen.items() if value is not None}
    return Identity(print_script(tree), called, said)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _user_calls(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the prefix and the alias of each call of a user function, in lower case."""
    if isinstance(node, tuple):
        for part in node:
            yield from _user_calls(part)
    elif is_dataclass(node):
        if isinstance(node, Call) and node.prefix:
            yield node.prefix[-1].text.lower(), node.name.text.lower()
        for field in fields(node):
            yield from _user_calls(getattr(node, field.name))
