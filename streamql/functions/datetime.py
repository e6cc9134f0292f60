"""Functions of dates and times, on ticks. ISO text is read as a datetime.

DATEADD, DATEDIFF, DATENAME and DATEPART begin with a time unit, which is a word of the query and no
value: `unit_function` gives the function for one unit. Weeks begin on Sunday (US rules); the week
of 1 January is week 1. Everything is UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import BindError, DataError, suggest
from ..instants import MAX_TICKS, MIN_TICKS, TICKS_PER_DAY, TICKS_PER_SECOND, civil
from ..text import valid
from ..types import Array, Type
from .operators import first_row
from .registry import Function, FunctionSet, Kernel

Integers = NDArray[np.int64]

DATES = FunctionSet("date and time")

_SPELLINGS = {
    "year": "years yy yyyy",
    "quarter": "quarters qq q",
    "month": "months mm m",
    "dayofyear": "dy y",
    "day": "days dd d",
    "week": "weeks wk ww",
    "weekday": "dw w",
    "hour": "hours hh",
    "minute": "minutes mi n",
    "second": "seconds ss s",
    "millisecond": "milliseconds ms",
    "microsecond": "microseconds mcs",
}
UNITS: dict[str, str] = {
    spelling: unit for unit, others in _SPELLINGS.items() for spelling in (unit, *others.split())
}
"""Every spelling of a time unit, in lower case, and the unit it means."""

_TICKS = {
    "day": TICKS_PER_DAY,
    "dayofyear": TICKS_PER_DAY,
    "weekday": TICKS_PER_DAY,
    "week": 7 * TICKS_PER_DAY,
    "hour": 3600 * TICKS_PER_SECOND,
    "minute": 60 * TICKS_PER_SECOND,
    "second": TICKS_PER_SECOND,
    "millisecond": TICKS_PER_SECOND // 1000,
    "microsecond": 10,
}
_WITHIN_DAY = {
    "hour": (_TICKS["hour"], 24),
    "minute": (_TICKS["minute"], 60),
    "second": (TICKS_PER_SECOND, 60),
    "millisecond": (_TICKS["millisecond"], 1000),
    "microsecond": (10, 1_000_000),
}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def _ticks(column: Column) -> Integers:
    """Return ticks (or other bigints) as numpy, NULL as 0."""
    return np.asarray(column.values.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _first_day(year: Integers, month: Integers) -> Integers:
    """Return the days from 1970-01-01 to the first of a month; months beyond 12 carry over."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


def _part(unit: str, ticks: Integers) -> Integers:
    """Return one part of each datetime."""
    if unit in _WITHIN_DAY:
        size, count = _WITHIN_DAY[unit]
        return ticks // size % count
    days = ticks // TICKS_PER_DAY
    if unit == "weekday":
        return (days + 4) % 7 + 1  # 1970-01-01 was a Thursday
    year, month, day = civil(days)
    if unit in ("year", "month", "day"):
        return {"year": year, "month": month, "day": day}[unit]
    if unit == "quarter":
        return (month + 2) // 3
    first = _first_day(year, np.ones_like(year))
    if unit == "dayofyear":
        return days - first + 1
    return (days - first + (first + 4) % 7) // 7 + 1  # week


def _boundaries(unit: str, ticks: Integers) -> Integers:
    """Return a number for each datetime that grows by 1 at each boundary of the unit."""
    if unit in _MONTHS:
        year, month, _ = civil(ticks // TICKS_PER_DAY)
        return (year * 12 + month - 1) // _MONTHS[unit]
    if unit == "week":
        return (ticks // TICKS_PER_DAY + 4) // 7
    return ticks // _TICKS[unit]


def _date_add(unit: str, number: Column, date: Column) -> Array:
    known = number.valid() & date.valid()
    size = _MONTHS.get(unit) or _TICKS[unit]
    most = 10_000 * 12 // size if unit in _MONTHS else (MAX_TICKS - MIN_TICKS) // size + 1
    raw = np.trunc(np.asarray(number.values.fill_null(0).to_numpy(zero_copy_only=False)))
    good = np.abs(raw) <= most
    steps = np.where(good, raw, 0).astype(np.int64)
    ticks = _ticks(date)
    if unit in _MONTHS:
        days = ticks // TICKS_PER_DAY
        year, month, day = civil(days)
        moved = month + steps * size
        first = _first_day(year, moved)
        last = _first_day(year, moved + 1) - first
        result = (first + np.minimum(day, last) - 1 - days) * TICKS_PER_DAY + ticks
    else:
        result = ticks + steps * size
    good &= (result >= MIN_TICKS) & (result <= MAX_TICKS)
    row = first_row(known & ~good)
    if row is not None:
        amount = number.values[row].as_py()
        raise DataError(f"DATEADD: {amount} {unit} leads out of the years 1 to 9999", row=row)
    return pa.array(result, mask=~known)


def _date_diff(unit: str, start: Column, end: Column) -> Array:
    found = _boundaries(unit, _ticks(end)) - _boundaries(unit, _ticks(start))
    return pa.array(found, mask=~(valid(start.values) & valid(end.values)))


def _date_part(unit: str, date: Column) -> Array:
    return pa.array(_part(unit, _ticks(date)), mask=~date.valid())


def _date_name(unit: str, date: Column) -> Array:
    part = _date_part(unit, date)
    if unit == "month":
        return pa.array(_MONTH_NAMES).take(pc.subtract(part, 1))
    if unit == "weekday":
        return pa.array(_DAY_NAMES).take(pc.subtract(part, 1))
    return part.cast(pa.string())


_Declaration = tuple[Callable[..., Array], tuple[tuple[Type, ...], ...], Type, bool, str]
UNIT_FUNCTIONS: dict[str, _Declaration] = {
    "DATEADD": (
        _date_add,
        ((Type.BIGINT, Type.DATETIME), (Type.NUMBER, Type.DATETIME)),
        Type.DATETIME,
        True,
        """A datetime so many units later; a fraction of the number is cut.

    Months, quarters and years end on the last day of the month where the day does not exist.

    sql> DATEADD(month, 1, '2024-01-31T12:00:00Z')
    '2024-02-29T12:00:00.0000000Z'
    sql> DATEADD(minute, -1.9, '2024-03-05T08:00:00Z')
    '2024-03-05T07:59:00.0000000Z'
    """,
    ),
    "DATEDIFF": (
        _date_diff,
        ((Type.DATETIME, Type.DATETIME),),
        Type.BIGINT,
        False,
        """How many boundaries of the unit lie between two datetimes.

    Negative where the second one is earlier. A week begins on Sunday. In place of a datetime, the
    name of an input stands for the time of its row.

    sql> DATEDIFF(second, '2024-03-05T08:00:00.4Z', '2024-03-05T08:00:01.1Z')
    1
    sql> DATEDIFF(year, '2024-12-31', '2025-01-01')
    1
    """,
    ),
    "DATENAME": (
        _date_name,
        ((Type.DATETIME,),),
        Type.TEXT,
        False,
        """A part of a datetime as text: months and weekdays by their English names.

    sql> DATENAME(month, '2024-11-09')
    'November'
    sql> DATENAME(weekday, '2024-11-09')
    'Saturday'
    sql> DATENAME(year, '2024-11-09')
    '2024'
    """,
    ),
    "DATEPART": (
        _date_part,
        ((Type.DATETIME,),),
        Type.BIGINT,
        False,
        """A part of a datetime; the weekday of Sunday is 1.

    sql> DATEPART(hour, '2024-03-05T17:42:31.5Z')
    17
    sql> DATEPART(weekday, '2024-11-09')
    7
    sql> DATEPART(week, '2024-01-07')
    2
    """,
    ),
}
"""The functions whose first argument is a time unit: (kernel, parameters, type, fails?, text)."""


def unit_ticks(unit: str) -> int:
    """Return the length of a unit up to the week, in ticks."""
    return _TICKS[unit]


def unit_named(word: str | None) -> str:
    """Return the time unit that a word of the query means. Raises BindError for other words."""
    unit = UNITS.get((word or "").lower())
    if unit is None:
        near = suggest(word, _SPELLINGS) if word else None
        listed = ", ".join(_SPELLINGS)
        found = f"no time unit {word!r}" if word else "a time unit is missing"
        raise BindError(found, hint=f"{near + '; ' if near else ''}units are {listed}")
    return unit


def unit_function(name: str, word: str | None) -> Function:
    """Return DATEADD, DATEDIFF, DATENAME or DATEPART for the time unit a word means.

    The same unit gives the same object. Raises BindError, without a place, for other words.
    """
    if name.upper() not in UNIT_FUNCTIONS:
        raise BindError(f"{name} takes no time unit")
    return _with_unit(name.upper(), unit_named(word))


@cache
def _with_unit(name: str, unit: str) -> Function:
    kernel, signatures, returns, can_fail, documentation = UNIT_FUNCTIONS[name]

    def run(*columns: Column) -> Array:
        return kernel(unit, *columns)

    run.__doc__ = documentation
    declared = FunctionSet(DATES.family)
    for takes in signatures:
        declared.scalar(name, takes, returns, can_fail=can_fail)(run)
    return replace(declared.functions[name.lower()], words=(unit,))


def _declare_part(name: str, unit: str, documentation: str) -> None:
    def part(date: Column) -> Array:
        return _date_part(unit, date)

    kernel: Kernel = part
    kernel.__doc__ = documentation
    DATES.scalar(name, (Type.DATETIME,), Type.BIGINT)(kernel)


_declare_part("DAY", "day", "The day of the month.\n\n    sql> DAY('2024-03-05')\n    5")
_declare_part("MONTH", "month", "The month, from 1.\n\n    sql> MONTH('2024-03-05')\n    3")
_declare_part("YEAR", "year", "The year.\n\n    sql> YEAR('2024-03-05')\n    2024")


@DATES.scalar("DATETIMEFROMPARTS", (Type.BIGINT,) * 7, Type.DATETIME, can_fail=True)
def datetime_from_parts(*parts: Column) -> Array:
    """The datetime of a year, month, day, hour, minute, second and millisecond.

    sql> DATETIMEFROMPARTS(2024, 3, 5, 17, 0, 0, 250)
    '2024-03-05T17:00:00.2500000Z'
    """
    known = np.logical_and.reduce([part.valid() for part in parts])
    numbers = [_ticks(part) for part in parts]
    limits = ((1, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59), (0, 999))
    good = np.ones(len(known), bool)
    for index, (low, high) in enumerate(limits):
        good &= (numbers[index] >= low) & (numbers[index] <= high)
        numbers[index] = np.clip(numbers[index], low, high)
    year, month, day, hour, minute, second, millisecond = numbers
    first = _first_day(year, month)
    good &= day <= _first_day(year, month + 1) - first
    row = first_row(known & ~good)
    if row is not None:
        shown = ", ".join(str(part.values[row].as_py()) for part in parts)
        raise DataError(f"DATETIMEFROMPARTS: ({shown}) is no date and time", row=row)
    seconds = (first + day - 1) * 86_400 + hour * 3600 + minute * 60 + second
    ticks = seconds * TICKS_PER_SECOND + millisecond * 10_000
    return pa.array(ticks, mask=~known)
