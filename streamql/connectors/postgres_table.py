"""What PostgreSQL's catalog says of a table, and rows as lines for its COPY."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .. import instants
from ..text import bytes_of, float_texts
from ..types import Array
from .fitting import Family, Place

if TYPE_CHECKING:
    import psycopg

TABLE = """
SELECT 1, n.nspname, c.relname, c.relkind, c.oid::bigint
FROM (SELECT COALESCE(%(schema)s::text, current_schema()::text) AS name) AS wanted
LEFT JOIN pg_namespace n ON n.nspname = wanted.name
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND lower(c.relname) = lower(%(name)s)
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
"""The tables of a name in any case; without one the schema alone, NULL when it is not there."""

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.atttypmod, a.attnotnull,
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, t.typtype
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""

_INDEXES = """
SELECT array_agg(a.attname::text) FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND i.indexprs IS NULL AND i.indimmediate
GROUP BY i.indexrelid
"""

_WHOLE = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}
_FAMILIES = {
    "float4": Family.FLOAT,
    "float8": Family.FLOAT,
    "numeric": Family.DECIMAL,
    "text": Family.TEXT,
    "varchar": Family.TEXT,
    "bpchar": Family.TEXT,
    "bool": Family.BOOLEAN,
    "timestamptz": Family.DATETIME,
    "timestamp": Family.DATETIME,
    "date": Family.DATETIME,
    "json": Family.JSON,
    "jsonb": Family.JSON,
}
_TEXTS = (Family.TEXT, Family.DATETIME, Family.OTHER)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r", "N": ""}
_NUL_ESCAPE = "\\u0000"


def columns_of(connection: psycopg.Connection[Any], oid: int, key: set[str]) -> dict[str, Place]:
    """Return the columns of a table by their names in lower case; those of the key take no NULL."""
    places: dict[str, Place] = {}
    for name, declared, kind, modifier, required, default, _ in connection.execute(
        _COLUMNS, (oid,)
    ):
        family = Family.WHOLE if kind in _WHOLE else _FAMILIES.get(kind, Family.OTHER)
        limit = _WHOLE.get(kind)
        if kind in ("varchar", "bpchar") and modifier > 4:  # the length and 4 bytes
            limit = modifier - 4
        places[name.lower()] = Place(
            name,
            declared,
            family,
            limit,
            bool(required) or name.lower() in key,
            bool(default),
            _NUL_ESCAPE if kind == "jsonb" else "\0",
        )
    return places


def unique_indexes(connection: psycopg.Connection[Any], oid: int) -> list[frozenset[str]]:
    """Return the columns of each unique index of a table."""
    return [frozenset(row[0]) for row in connection.execute(_INDEXES, (oid,))]


def copied(array: Array, place: Place) -> pa.StringArray:
    """Return a fitted column as COPY reads it, NULLs included."""
    match place.family:
        case Family.DATETIME:
            # PostgreSQL would round the seventh digit; datetimes are cut everywhere else
            ticks = np.asarray(array.fill_null(0))
            cut = pa.array(ticks - ticks % 10)
            texts = instants.format_ticks(
                pc.if_else(array.is_valid(), cut, pa.scalar(None, pa.int64()))
            )
        case Family.FLOAT:
            texts = float_texts(array)
        case _:
            texts = array.cast(pa.string())
    data = bytes_of(texts)
    for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        if (data == ord(raw)).any():
            texts = pc.replace_substring(texts, raw, escaped)
    return texts.fill_null("\\N") if texts.null_count else texts


def join(columns: Sequence[pa.StringArray]) -> pa.StringArray:
    """Return the line of each row."""
    if len(columns) == 1:
        return columns[0]
    return pc.binary_join_element_wise(*columns, "\t")


def as_json(line: str, places: Sequence[Place]) -> str:
    """Return a row that `copied` and `join` made as JSON."""
    found: dict[str, Any] = {}
    for place, field in zip(places, line.split("\t"), strict=True):
        text = _ESCAPED.sub(lambda match: _MEANT[match[1]], field)
        found[place.name] = None if field == "\\N" else text
        if field == "\\N" or place.family in _TEXTS:
            continue
        if place.family is Family.BOOLEAN:
            found[place.name] = text in ("true", "t", "1")
            continue
        with contextlib.suppress(ValueError):  # no JSON: NaN, or what only the database knows
            found[place.name] = json.loads(text)
    return json.dumps(found, ensure_ascii=False)


def sql(statement: str) -> Any:
    """Return a statement whose names are quoted already."""
    return statement.encode()
