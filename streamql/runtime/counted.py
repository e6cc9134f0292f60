"""Counters as plain values and back: what came in through an input outlives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ..formats.decoded import BadEvent

_BYTES = "latin-1"


def packed(counts: Any) -> dict[str, Any]:
    """Return the numbers, texts and bad events of a dataclass of counters, as plain values.

    What is none of these (a policy, a callback) belongs to the job, not to its past.
    """
    found: dict[str, Any] = {}
    for field in fields(counts):
        value = getattr(counts, field.name)
        match value:
            case BadEvent():
                found[field.name] = _of_bad_event(value)
            case None | bool() | int() | float() | str():
                found[field.name] = value
            case dict() if all(isinstance(v, int) for v in value.values()):
                found[field.name] = dict(value)
            case _ if is_dataclass(value) and not value.__dataclass_params__.frozen:  # type: ignore[union-attr]
                found[field.name] = packed(value)
    return found


def unpack(counts: Any, plain: Mapping[str, Any]) -> None:
    """Give a dataclass of counters the values that `packed` returned; others stay as they are."""
    for field in fields(counts):
        if field.name not in plain:
            continue
        value, known = plain[field.name], getattr(counts, field.name)
        if isinstance(value, dict) and "event" in value:
            setattr(counts, field.name, _bad_event(value))
        elif isinstance(value, dict) and is_dataclass(known):
            unpack(known, value)
        else:
            setattr(counts, field.name, value)


def _of_bad_event(bad: BadEvent) -> dict[str, Any]:
    return {
        "event": bad.event,
        "reason": bad.reason,
        "text": bad.text.decode(_BYTES),
        "line": bad.line,
    }


def _bad_event(plain: Mapping[str, Any]) -> BadEvent:
    return BadEvent(plain["event"], plain["reason"], plain["text"].encode(_BYTES), plain["line"])
