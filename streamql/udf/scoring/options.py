"""How the settings of scoring functions are read from text, secrets among them.

A setting is a dataclass field made by `option`, which carries the reader of its text. Readers
raise ValueError with what would fit; whoever knows the setting's name makes the error of it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ... import units
from ...network.secret import Secret
from .tuner import Limits

Reader = Callable[[str], Any]

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*(rows|requests)\s*/\s*s")
_ZERO = re.compile(r"\s*0+(\.0+)?\s*(ms|s|m|min|h)?\s*")


def option(default: Any, read: Reader, *, http_only: bool = False) -> Any:
    """Return a dataclass field that is set from text by `read`."""
    return dataclasses.field(default=default, metadata={"read": read, "http_only": http_only})


def readers(owner: type[Any]) -> dict[str, Reader]:
    """Return the readers of a dataclass's settings, by name."""
    return {f.name: f.metadata["read"] for f in dataclasses.fields(owner) if "read" in f.metadata}


def duration(*, zero: bool = False, none: bool = False) -> Reader:
    """Return a reader of durations in seconds, such as `100s`, `250ms`, `2m`.

    `zero` allows 0; `none` allows the word none, which gives None.
    """

    def read(text: str) -> float | None:
        if none and text.strip().lower() == "none":
            return None
        if zero and _ZERO.fullmatch(text):
            return 0.0
        return units.seconds(text)

    return read


def tuned(low: int, high: int, limits: Limits) -> Reader:
    """Return a reader of whole numbers, of `auto` (within `limits`) and of `auto:LOW-HIGH`."""
    number = units.count(low, high)

    def read(text: str) -> int | Limits:
        word, colon, rest = text.strip().lower().partition(":")
        try:
            if word != "auto":
                return int(number(text))
            if not colon:
                return limits
            least, _, most = rest.partition("-")
            given = Limits(number(least), number(most))
        except ValueError:
            given = Limits(1, 0)
        if given.low > given.high:
            raise ValueError(f"a whole number from {low:,} to {high:,}, auto or auto:LOW-HIGH")
        return given

    return read


@dataclass(frozen=True, slots=True)
class Rate:
    """So many rows, or requests, per second."""

    per_second: float
    rows: bool


def rate(text: str) -> Rate | None:
    """Read `500 rows/s`, `20 requests/s` or `none`."""
    if text.strip().lower() == "none":
        return None
    found = _RATE.fullmatch(text.strip().lower())
    if found is None or not float(found[1]) > 0:
        raise ValueError("none or a rate such as 5000 rows/s or 20 requests/s")
    return Rate(float(found[1]), found[2] == "rows")


def share(text: str) -> float | None:
    """Read `off` or a percentage above 0: `50%` is 0.5."""
    if text.strip().lower() == "off":
        return None
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise ValueError("off or the share of failed requests that opens the circuit, e.g. 50%")
    return float(found[1]) / 100


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How many answers are kept, and for how many seconds (None: without end)."""

    rows: int
    seconds: float | None


def cache(text: str) -> CacheSize | None:
    """Read `off`, a number of rows, or a number of rows and a time to live: `100000, 10min`."""
    if text.strip().lower() == "off":
        return None
    # 100,000 has a comma of its own
    found = re.fullmatch(r"\s*([\d_,]*\d)\s*(?:,\s*(\d[\d.]*\s*[a-z]+)\s*)?", text.lower())
    try:
        assert found is not None
        seconds = None if found[2] is None else units.seconds(found[2])
        return CacheSize(units.count(1, 100_000_000)(found[1]), seconds)
    except (AssertionError, ValueError):
        raise ValueError("off, a number of rows, or that and a time: 100000, 10min") from None


def text(value: str) -> str:
    """Read a text that is not empty."""
    if not value:
        raise ValueError("a text that is not empty")
    return value


def json_object(value: str) -> str:
    """Read a JSON object; the value is its compact text."""
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ValueError('a JSON object such as {"name": 1}')  # noqa: TRY004
    return orjson.dumps(parsed).decode()


def json_schema(value: str) -> str:
    """Read a JSON Schema, or the path of a file with one; the value is its compact text."""
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415 - 100 ms

    if not value.lstrip().startswith("{"):
        try:
            value = Path(value).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise ValueError("a JSON Schema, or the path of a file with one") from None
    read = json_object(value)
    try:
        Draft202012Validator.check_schema(orjson.loads(read))
    except SchemaError as error:
        raise ValueError(f"a JSON Schema ({error.message[:200]})") from None
    return read


def file(value: str) -> str:
    """Read the path of a file that exists."""
    if not Path(value).is_file():
        raise ValueError("the path of a file that is there")
    return value


def secret(value: str) -> Secret:
    """Read the place of a secret."""
    return Secret.refer(value)


def proxy(value: str) -> str | Secret | None:
    """Read where requests go through: `none`, `env` (HTTP_PROXY and the like), or a URL."""
    if value == "none":
        return None
    if value == "env":
        return value
    if value.startswith(("env:", "file:")):
        return Secret.refer(value)
    if re.fullmatch(r"https?://[^@\s]+", value):
        return value
    raise ValueError("none, env, a proxy's URL without a password, env:NAME or file:PATH")
