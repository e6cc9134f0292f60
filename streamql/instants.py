"""Datetimes: ticks of 100 ns since 1970-01-01T00:00:00Z, and their ISO 8601 texts.

A tick is what Azure Stream Analytics resolves (seven digits of a second); 64 bits of them reach
from year 1 to year 9999 and far beyond, which nanoseconds do not.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .text import bytes_of, offsets_of, valid

TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
MIN_TICKS = -719_162 * TICKS_PER_DAY
MAX_TICKS = 2_932_897 * TICKS_PER_DAY - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?\s*(Z|[+-]\d\d:?\d\d)?)?\s*",
    re.IGNORECASE | re.ASCII,
)
_DIGITS = np.array([10**i for i in range(6, -1, -1)], np.int64)
_CUMULATIVE = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365], np.int64)
_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


def parse_one(text: str) -> int | None:
    """Return the ticks of one ISO 8601 text; without an offset it is UTC; None if it is none."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(p or 0) for p in found.groups()[:6])
    zone = UTC
    if found[8] and found[8] not in "Zz":
        hours, minutes = int(found[8][1:3]), int(found[8][-2:])
        if minutes > 59:
            return None
        zone = timezone(
            timedelta(minutes=(hours * 60 + minutes) * (-1 if found[8][0] == "-" else 1))
        )
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    ticks = seconds * TICKS_PER_SECOND + int((found[7] or "").ljust(7, "0")[:7])
    return ticks if MIN_TICKS <= ticks <= MAX_TICKS else None


def parse(texts: pa.StringArray) -> pa.Int64Array:
    """Return the ticks of ISO 8601 texts (date, or date and time, fraction, offset or Z).

    A text that is none gives NULL. Texts of the form 2024-03-05T08:15:00[.f{1..7}]Z, all of one
    length, are read in a few numpy operations; others one by one.
    """
    count = len(texts)
    if count == 0 or texts.null_count == count:
        return pa.nulls(count, pa.int64())
    if count > 8 and texts.null_count == 0:
        lengths = np.diff(offsets_of(texts))
        width = int(lengths[0])
        if (width == 20 or 22 <= width <= 28) and bool((lengths == width).all()):
            ticks, good = _parse_runs(bytes_of(texts).reshape(count, width), width)
            if good.all():
                return pa.array(ticks)
            rest = np.flatnonzero(~good)
            nulls = np.zeros(count, bool)
            for row, text in zip(rest, texts.take(pa.array(rest)).to_pylist(), strict=True):
                value = parse_one(text)
                nulls[row] = value is None
                ticks[row] = value or 0
            return pa.array(ticks, mask=nulls)
    return pa.array([None if t is None else parse_one(t) for t in texts.to_pylist()], pa.int64())


def _parse_runs(
    chars: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Parse like `_parse_fixed`, but the minute only where it differs from the row before.

    Events mostly come in order of time: what is left to do for each row is seconds and fraction.
    """
    minutes = np.ascontiguousarray(chars[:, :16]).view(np.int64)
    new = np.append(True, (minutes[1:] != minutes[:-1]).any(axis=1))
    runs = np.flatnonzero(new)
    if len(runs) * 4 > len(chars):
        return _parse_fixed(chars, width)
    heads = np.empty((len(runs), 20), np.uint8)
    heads[:, :16] = chars[runs, :16]
    heads[:, 16:] = np.frombuffer(b":00Z", np.uint8)
    ticks, good = _parse_fixed(heads, 20)
    lengths = np.diff(np.append(runs, len(chars)))
    ticks, good = np.repeat(ticks, lengths), np.repeat(good, lengths)
    tail = np.ascontiguousarray(chars[:, 16:].T)  # one row for each place: columns are contiguous
    good &= (tail[0] == ord(":")) & (tail[-1] == ord("Z"))
    digits = tail - np.uint8(48)
    places = [1, 2, *range(4, width - 17)]
    for place in places:
        good &= digits[place] < 10
    good &= digits[1] < 6
    weights = [10 * TICKS_PER_SECOND, TICKS_PER_SECOND, *_DIGITS[: max(width - 21, 0)].tolist()]
    if width > 20:
        good &= tail[3] == ord(".")
    # up to a minute in ticks fits into 32 bits
    within = np.zeros(len(chars), np.uint32)
    for place, weight in zip(places, weights, strict=True):
        within += digits[place] * np.uint32(weight)
    return ticks + within, good


def _parse_fixed(
    chars: NDArray[np.uint8], width: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Parse a byte matrix of texts of the form yyyy-MM-ddTHH:mm:ss[.f+]Z; tell which rows fit."""
    shape = b"0000-00-00T00:00:00" + (b"" if width == 20 else b"." + b"0" * (width - 21)) + b"Z"
    pattern = np.frombuffer(shape, np.uint8)
    digit = pattern == 48
    values = chars - np.uint8(48)
    good = (chars[:, ~digit] == pattern[~digit]).all(axis=1) & (values[:, digit] < 10).all(axis=1)
    v = values.astype(np.int64)

    def pair(at: int) -> NDArray[np.int64]:
        return v[:, at] * 10 + v[:, at + 1]

    year = pair(0) * 100 + pair(2)
    month, day, hour, minute, second = pair(5), pair(8), pair(11), pair(14), pair(17)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    safe = np.clip(month, 1, 12)
    good &= (month == safe) & (year > 0) & (hour < 24) & (minute < 60) & (second < 60)
    good &= (day >= 1) & (day <= _MONTH[safe] + (leap & (safe == 2)))
    before = year - 1
    days = 365 * before + before // 4 - before // 100 + before // 400 - 719_162
    days += _CUMULATIVE[safe - 1] + (leap & (safe > 2)) + day - 1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    fraction = v[:, 20 : width - 1] @ _DIGITS[: width - 21] if width > 20 else 0
    return seconds * TICKS_PER_SECOND + fraction, good


def format_ticks(ticks: pa.Int64Array) -> pa.StringArray:
    """Return ISO texts of the form yyyy-MM-ddTHH:mm:ss.fffffffZ; NULL stays NULL."""
    count = len(ticks)
    if count == 0 or ticks.null_count == count:
        return pa.nulls(count, pa.string())
    known = valid(ticks)
    values = np.asarray(ticks.fill_null(0).to_numpy(zero_copy_only=False), np.int64)
    seconds, fraction = np.divmod(values, TICKS_PER_SECOND)
    days, rest = np.divmod(seconds, 86_400)
    year, month, day = civil(days)
    chars = np.empty((count, 28), np.uint8)
    chars[:] = np.frombuffer(b"0000-00-00T00:00:00.0000000Z", np.uint8)
    date = ((0, 4, year), (5, 2, month), (8, 2, day))
    hour, minute = rest // 3600, rest // 60 % 60
    time = ((11, 2, hour), (14, 2, minute), (17, 2, rest % 60), (20, 7, fraction))
    for at, width, part in (*date, *time):
        for place in range(width - 1, -1, -1):
            part, digit = np.divmod(part, 10)
            chars[:, at + place] += digit.astype(np.uint8)
    offsets = np.arange(0, 28 * (count + 1), 28, dtype=np.int32)
    array = pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(chars.tobytes())]
    )
    if known.all():
        return array
    return pc.if_else(pa.array(known), array, pa.scalar(None, pa.string()))


def civil(
    days: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (year, month, day) of days since 1970-01-01 in the proleptic Gregorian calendar."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    number = months.astype(np.int64)
    return number // 12 + 1970, number % 12 + 1, (dates - months).astype(np.int64) + 1


def from_datetime(moment: datetime) -> int:
    """Return the ticks of a Python datetime; without a time zone it is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    gap = moment - _EPOCH
    return (gap.days * 86_400 + gap.seconds) * TICKS_PER_SECOND + gap.microseconds * 10


def to_datetime(ticks: int) -> datetime:
    """Return the Python datetime (UTC, microseconds; the seventh digit is cut)."""
    return _EPOCH + timedelta(microseconds=ticks // 10)
