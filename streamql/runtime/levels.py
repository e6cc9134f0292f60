"""Rows as a compatibility level sees them, and without the keys that describe the message.

Level 1.2 takes events as they are. Below it JSON booleans are bigint; at 1.0 field names are lower
case and date-like texts are datetimes. Old levels rewrite JSON row by row: about
300,000 rows/s, paid only by jobs that ask for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import instants
from ..column import Column, combine
from ..functions.conversion import cast_to
from ..python_values import dump
from ..rows import RecordRows, Rows
from ..text import loads, mask_of
from ..types import DATETIME_MARK, JSON_TYPES, Type

_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


_MESSAGE_COLUMNS = {
    "eventprocessedutctime": ("EventHub", "EventProcessedUtcTime"),
    "eventenqueuedutctime": ("EventHub", "EventEnqueuedUtcTime"),
    "partitionid": ("EventHub", "PartitionId"),
    "iothub": ("IoTHub",),
}
"""Columns that hubs put beside those of the payload, and where a message's metadata has them."""


class WithoutKeys(Rows):
    """Rows in which some top-level keys do not exist.

    One of them, `message`, may hold the message's metadata: a column of hubs that the payload does
    not have is taken from there when it is asked for by name (language.md, Metadata of messages).
    """

    def __init__(self, rows: Rows, hidden: Sequence[str], message: str | None = None) -> None:
        self._rows = rows
        self._hidden = tuple(hidden)
        self._message = message
        self._clean: Column | None = None
        self.textual = rows.textual

    def __len__(self) -> int:
        return len(self._rows)

    def field(self, path: tuple[str, ...]) -> Column:
        if path[0].lower() in (h.lower() for h in self._hidden):
            return RecordRows(self.record()).field(path)
        found = self._rows.field(path)
        property_ = _MESSAGE_COLUMNS.get(path[0].lower())
        if self._message is None or property_ is None:
            return found
        missing = ~found.valid()
        other = self._rows.field((self._message, *property_, *path[1:]))
        if not missing.any() or other.type is Type.NULL:
            return found
        if property_[-1].endswith("UtcTime"):  # JSON can only write a datetime as text
            other = cast_to(other, Type.DATETIME, lenient=True)
        rows, rest = np.flatnonzero(missing), np.flatnonzero(~missing)
        return combine(len(found), [(rows, other.take(rows)), (rest, found.take(rest))])

    def take(self, rows: NDArray[np.int64]) -> WithoutKeys:
        return WithoutKeys(self._rows.take(rows), self._hidden, self._message)

    def record(self) -> Column:
        if self._clean is None:
            texts = self._rows.record().values
            found = np.zeros(len(self._rows), bool)
            for key in self._hidden:
                found |= mask_of(pc.match_substring(texts, f'"{key}"'))
            self._clean = Column(Type.RECORD, _rewrite(texts, found, self._without))
        return self._clean

    def _without(self, value: Any) -> Any:
        return {key: inner for key, inner in value.items() if key not in self._hidden}


class OldLevel(Rows):
    """Rows as levels 1.0 and 1.1 see them; `plain` are the rows as they came."""

    def __init__(self, rows: Rows, level: str) -> None:
        self.plain = rows
        self._level = level
        self.textual = rows.textual

    def __len__(self) -> int:
        return len(self.plain)

    def field(self, path: tuple[str, ...]) -> Column:
        return self._value(self.plain.field(path))

    def record(self) -> Column:
        return self._value(self.plain.record())

    def take(self, rows: NDArray[np.int64]) -> OldLevel:
        return OldLevel(self.plain.take(rows), self._level)

    def _value(self, column: Column) -> Column:
        if column.type is Type.BIT:
            return Column(Type.BIGINT, column.values.cast(pa.int64()))
        # only JSON has date-like texts: in CSV all is text until it is converted
        if column.type is Type.TEXT and self._level == "1.0" and not self.textual:
            ticks = instants.parse(column.values)
            shaped = mask_of(pc.match_substring_regex(column.values, "^" + _DATE.pattern))
            dates = shaped & mask_of(ticks.is_valid())
            if not dates.any():
                return column
            rows, rest = np.flatnonzero(dates), np.flatnonzero(~dates)
            some = Column(Type.DATETIME, ticks).take(rows)
            return combine(len(column), [(rows, some), (rest, column.take(rest))])
        if column.type not in JSON_TYPES:
            return column
        texts = column.values
        touched = np.ones(len(texts), bool)
        if self._level == "1.1":
            touched = mask_of(pc.match_substring_regex(texts, "true|false"))
        if not touched.any():
            return column
        changed = _rewrite(texts, touched, self._convert)
        kind = Type.ANY if column.type is Type.ANY else column.type
        return Column(kind, changed).normal()

    def _convert(self, value: Any) -> Any:
        old = self._level == "1.0"
        dates = old and not self.textual
        match value:
            case bool():
                return int(value)
            case dict():
                return {k.lower() if old else k: self._convert(v) for k, v in value.items()}
            case list():
                return [self._convert(v) for v in value]
            case str() if dates and _DATE.match(value) and instants.parse_one(value) is not None:
                ticks = pa.array([instants.parse_one(value)], pa.int64())
                return DATETIME_MARK + instants.format_ticks(ticks)[0].as_py()
            case _:
                return value


def _rewrite(texts: pa.StringArray, rows: NDArray[np.bool_], change: Any) -> pa.StringArray:
    """Return JSON texts with `change` applied to the values of some rows."""
    if not rows.any():
        return texts
    index = np.flatnonzero(rows & mask_of(texts.is_valid()))
    values = loads(texts.take(pa.array(index)))
    fixed = np.asarray(texts.to_numpy(zero_copy_only=False), object)
    fixed[index] = [dump(change(v)) for v in values]
    return pa.array(fixed, pa.string())
