"""How settings are read: durations, sizes, counts, words.

A reader takes what a flag, a variable, a file or a caller gives (text, a number, a timedelta) and
returns the value to work with. It raises ValueError with what would fit; whoever knows the
setting's name makes the error of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from .instants import TICKS_PER_SECOND

Reader = Callable[[Any], Any]

_CLOCK = re.compile(r"(?:(\d{1,4})\.)?(\d{1,2}):([0-5]\d):([0-5]\d)(?:\.(\d{1,7}))?")
_MEASURE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_SPOKEN = (
    ("year", 365 * 86_400 * TICKS_PER_SECOND),
    ("day", 86_400 * TICKS_PER_SECOND),
    ("h", 3_600 * TICKS_PER_SECOND),
    ("min", 60 * TICKS_PER_SECOND),
    ("s", TICKS_PER_SECOND),
    ("ms", TICKS_PER_SECOND // 1_000),
    ("us", TICKS_PER_SECOND // 1_000_000),
)
_HOST = re.compile(r"(\*\.)?[a-z0-9_.-]+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?")
_LONGEST = 30 * 86_400


def ticks(value: Any) -> int:
    """Return the ticks of a duration: `00:00:05`, `1.00:00:00` (a day), `5s`, a timedelta."""
    if isinstance(value, timedelta):
        return (value // timedelta(microseconds=1)) * (TICKS_PER_SECOND // 1_000_000)
    text = str(value).strip()
    clock = _CLOCK.fullmatch(text)
    if clock is not None and int(clock[2]) < 24:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups()[:4])
        fraction = int((clock[5] or "").ljust(7, "0"))
        whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        return whole * TICKS_PER_SECOND + fraction
    return round(_measured(text, "a duration such as 00:00:05 or 5s") * TICKS_PER_SECOND)


def spoken(ticks: int) -> str:
    """Return a duration as a person says it, to two units at most: `3 days`, `2 min 5 s`."""
    found = []
    for name, size in _SPOKEN:
        count, ticks = divmod(ticks, size)
        if count:
            unit = f"{count:,} {name}"
            found.append(unit + "s" if name in ("day", "year") and count > 1 else unit)
        elif found:
            break
        if len(found) == 2:
            break
    return " ".join(found) or "0 s"


def seconds(value: Any) -> float:
    """Return a duration of more than zero in seconds; a number without a unit is seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value}s"
    found = ticks(value) / TICKS_PER_SECOND
    if not 0 < found <= _LONGEST:
        raise ValueError("a duration of more than 0 and at most 30 days, such as 10s")
    return found


def _measured(text: str, expected: str) -> float:
    found = _MEASURE.fullmatch(text)
    unit = found[2].lower() if found else ""
    if found is None or (unit not in _SECONDS and float(found[1]) != 0):
        raise ValueError(expected)
    return float(found[1]) * _SECONDS.get(unit, 1.0)


def size(low: int, high: int) -> Reader:
    """Return a reader of sizes in bytes, such as `4MB` (4,000,000) or `4MiB` (4,194,304)."""

    def read(value: Any) -> int:
        found = _MEASURE.fullmatch(str(value).strip())
        if found is None or found[2].lower() not in _BYTES:
            raise ValueError("a size such as 4MB, 512KiB or 1000000")
        count = int(float(found[1]) * _BYTES[found[2].lower()])
        if not low <= count <= high:
            raise ValueError(f"a size from {low:,} to {high:,} bytes")
        return count

    return read


def memory(value: Any) -> int | float:
    """Return bytes for a size, a float from 0 to 1 for a share such as `50%`, 0 for `off`."""
    if isinstance(value, float) and 0 < value <= 1:
        return value
    text = str(value).strip().lower()
    if text == "off":
        return 0
    share = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text)
    if share is not None and 0 < float(share[1]) <= 100:
        return float(share[1]) / 100
    try:
        found: int = size(2**20, 2**50)(text)
    except ValueError:
        raise ValueError(
            "a size of 1MiB or more such as 2GB, a share such as 50%, or off"
        ) from None
    return found


def count(low: int, high: int) -> Reader:
    """Return a reader of whole numbers from `low` to `high`."""

    def read(value: Any) -> int:
        text = str(value).strip().replace("_", "").replace(",", "")
        if not re.fullmatch(r"\d{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return int(text)

    return read


def word(*known: str) -> Reader:
    """Return a reader of one of a few words, ignoring case."""

    def read(value: Any) -> str:
        text = str(value).strip().lower()
        if text not in known:
            raise ValueError(f"{', '.join(known[:-1])} or {known[-1]}")
        return text

    return read


def flag(value: Any) -> bool:
    """Return whether a switch is on."""
    found = {"true": True, "yes": True, "on": True, "1": True}
    found |= {"false": False, "no": False, "off": False, "0": False}
    text = str(value).strip().lower()
    if text not in found:
        raise ValueError("true or false")
    return found[text]


def name(value: Any) -> str:
    """Read a field's name: a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("the name of a field")
    return value


def hosts(value: Any) -> tuple[str, ...] | None:
    """Read a list of hosts: `any`, `none`, or `models.local, *.example.com, 127.0.0.1:5001`."""
    words = tuple(part.strip().lower() for part in str(value).split(","))
    if words == ("any",):
        return None
    if words == ("none",):
        return ()
    if not all(_HOST.fullmatch(word) for word in words):
        raise ValueError("any, none, or hosts such as models.local, *.example.com, 10.0.0.1:5001")
    return words


def path(value: Any) -> str:
    """Read the path of a file, which need not be there."""
    if not str(value):
        raise ValueError("the path of a file")
    return str(value)
