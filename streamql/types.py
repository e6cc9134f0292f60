"""The SQL types, and how a column of each is stored in Arrow.

| SQL type        | stored as                                                             |
|-----------------|-----------------------------------------------------------------------|
| bigint          | int64                                                                 |
| float           | float64                                                               |
| nvarchar(max)   | string                                                                |
| datetime        | int64: ticks of 100 ns since 1970-01-01T00:00:00Z (`instants.py`)     |
| bit             | bool                                                                  |
| record, array   | string: the JSON text of each value, keys in their order              |
| any             | string: the JSON text of each value; each value has its own type      |
| number          | float64 and a mask of the rows whose value is a bigint                |

`any` and `number` are the storage of columns whose values differ in type; they are no types of
the language. A datetime inside JSON text is a string that starts with `DATETIME_MARK`.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import pyarrow as pa

Array: TypeAlias = pa.Array

DATETIME_MARK = "\ufdd0"
"""A noncharacter before the ISO text tells a datetime inside JSON text from a string."""


class Type(Enum):
    """The type of a value, or of all values of a column. The value is the name GetType gives."""

    NULL = "null"
    BIGINT = "bigint"
    FLOAT = "float"
    TEXT = "nvarchar(max)"
    DATETIME = "datetime"
    BIT = "bit"
    RECORD = "record"
    ARRAY = "array"
    ANY = "any"
    NUMBER = "number"

    def __str__(self) -> str:
        return self.value


STORAGE: dict[Type, pa.DataType] = {
    Type.NULL: pa.null(),
    Type.BIGINT: pa.int64(),
    Type.FLOAT: pa.float64(),
    Type.TEXT: pa.string(),
    Type.DATETIME: pa.int64(),
    Type.BIT: pa.bool_(),
    Type.RECORD: pa.string(),
    Type.ARRAY: pa.string(),
    Type.ANY: pa.string(),
    Type.NUMBER: pa.float64(),
}

JSON_TYPES = frozenset({Type.RECORD, Type.ARRAY, Type.ANY})
"""Types whose columns are stored as JSON text."""

SCALARS = frozenset({Type.BIGINT, Type.FLOAT, Type.TEXT, Type.DATETIME, Type.BIT})


def type_named(name: str) -> Type | None:
    """Return the type a query names in CAST or CREATE TABLE, None if there is none."""
    lowered = name.replace(" ", "").lower()
    found = {t.value: t for t in Type if t not in (Type.NULL, Type.ANY, Type.NUMBER)}
    return found.get(lowered)
