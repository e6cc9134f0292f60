"""Checks rows against the model's JSON Schema before they are sent (package `jsonschema`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from .protocols.protocol import BadRow, values
from .settings import ScoringSettings

if TYPE_CHECKING:
    from .batch import Batch

_FIRST = 1_000
_EACH = 100
"""`sample` takes the first 1,000 events and then each 100th: by the event's number, so that it does
not depend on how rows are batched."""
_SHOWN = 100


def checker_of(settings: ScoringSettings) -> RowChecker | None:
    """Return what checks rows, None when nothing is to be checked."""
    if settings.validate == "off" or settings.row_schema is None:
        return None
    return RowChecker(orjson.loads(settings.row_schema), settings.validate == "all")


class RowChecker:
    """Checks the rows of batches; one may be used for all requests of a function."""

    def __init__(self, schema: dict[str, Any], every: bool) -> None:
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - 100 ms

        self._validator = Draft202012Validator(schema)
        self._every = every

    def check(self, batch: Batch[Any], start: int, stop: int) -> None:
        """Raise BadRow for the first row that does not fit."""
        if self._every:
            found = values(batch.rows(start, stop))
        else:
            events = np.concatenate([p.events[p.start : p.stop] for p in batch.parts])[start:stop]
            sampled = np.flatnonzero((events <= _FIRST) | (events % _EACH == 0)) + start
            texts = [bytes(batch.rows(row, row + 1)[0]) for row in sampled.tolist()]
            found = values([b",".join(texts)])
        for row in found:
            wrong = self.wrong(row)
            if wrong is not None:
                raise BadRow(wrong)

    def wrong(self, row: Any) -> str | None:
        """Return what is wrong with a row: its column, the value, the expected type."""
        error = next(iter(self._validator.iter_errors(row)), None)
        if error is None:
            return None
        place = _place(error.absolute_path)
        shown = orjson.dumps(error.instance).decode()
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        if error.validator == "required" and isinstance(error.instance, dict):
            missing = [name for name in error.validator_value if name not in error.instance]
            inside = "the row" if not error.absolute_path else place
            return f"{inside} has no column {', '.join(map(repr, missing))}, which the model needs"
        return f"{place} is {shown}, the model wants {_wanted(error.validator, error)}"


def _place(path: Iterable[Any]) -> str:
    """Return `column 'a'`, `element 3`, `column 'a', element 1`; elements count from 1."""
    steps = [f"element {s + 1}" if isinstance(s, int) else f"column {s!r}" for s in path]
    return ", ".join(steps) or "the row"


def _wanted(keyword: str, error: Any) -> str:
    value = error.validator_value
    if keyword == "type":
        return " or ".join([value] if isinstance(value, str) else value)
    match keyword:
        case "enum":
            listed = ", ".join(orjson.dumps(one).decode() for one in value[:10])
            return f"one of {listed}{', ...' if len(value) > 10 else ''}"
        case "minItems" | "maxItems":
            bound = "at least" if keyword == "minItems" else "at most"
            return f"{bound} {value} elements"
        case "anyOf" | "oneOf":
            kinds = [one["type"] for one in value if isinstance(one.get("type"), str)]
            return " or ".join(kinds) or "another value"
        case _:
            return f"{keyword} {orjson.dumps(value).decode()[:_SHOWN]}"
