"""Decoding in tests: bytes cut anywhere, events in order, values with their types."""

from __future__ import annotations

from typing import Any

from streamql.column import Column
from streamql.formats.decoded import BadEvent, Decoded
from streamql.formats.json_read import JsonLinesDecoder


def decode(data: bytes, step: int = 0, **options: Any) -> list[Decoded]:
    decoder = JsonLinesDecoder(**options)
    pieces = [data] if not step else [data[i : i + step] for i in range(0, len(data), step)]
    found = [decoded for piece in pieces for decoded in decoder.feed(piece)]
    return found + decoder.finish()


def values(column: Column) -> list[tuple[str | None, Any]]:
    return list(zip(column.types().to_pylist(), map(repr, column.to_pylist()), strict=True))


def all_events(found: list[Decoded], paths: list[tuple[str, ...]]) -> list[Any]:
    events: dict[int, Any] = {}
    for decoded in found:
        fields = [values(decoded.rows.field(path)) for path in paths]
        texts = decoded.rows.record().values.to_pylist()
        for row, number in enumerate(decoded.events.tolist()):
            assert number not in events
            events[number] = (texts[row], [f[row] for f in fields])
        for bad in decoded.bad:
            assert bad.event not in events
            events[bad.event] = (bad.reason, bad.text)
    assert sorted(events) == list(range(1, len(events) + 1))
    return [events[number] for number in sorted(events)]


def bad(data: bytes, **options: Any) -> list[BadEvent]:
    return [b for decoded in decode(data, **options) for b in decoded.bad]


def rows_of(data: bytes, **options: Any) -> list[Any]:
    return [r for d in decode(data, **options) for r in d.rows.record().to_pylist()]


def many(line: str, count: int = 200) -> bytes:
    return (line + "\n").encode() * count
