"""Functions of records (JSON text columns, parsed with one call a batch), and JSON_PARSE."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ..column import Column, nulls
from ..extract import extract
from ..python_values import dump
from ..text import loads
from ..types import Array, Type
from .array import json_of, parsed_as
from .registry import FunctionSet

RECORDS = FunctionSet("record")


@RECORDS.scalar("GetRecordPropertyValue", (Type.RECORD, Type.TEXT), Type.ANY)
def get_record_property_value(record: Column, name: Column) -> Column:
    """The value of a property of a record; NULL if there is none.

    A name that differs in case alone is found where none is the same, as with columns.

    sql> GetRecordPropertyValue(JSON_PARSE('{"k": 1.5}'), 'k')
    1.5
    sql> GetRecordPropertyValue(JSON_PARSE('{"k": 1.5}'), 'other')
    NULL
    """
    if name.constant or len(name) == 1:
        key = name.values[0].as_py()
        return nulls(len(record)) if key is None else extract(record, (key,))
    # Names that differ from row to row are looked up in Python.
    pairs = zip(loads(record.values), name.values.to_pylist(), strict=True)
    texts = [json_of(_property(properties, key)) for properties, key in pairs]
    return Column(Type.ANY, pa.array(texts, pa.string())).normal()


def _property(properties: Any, name: str | None) -> Any:
    if not isinstance(properties, dict) or name is None:
        return None
    if name in properties:
        return properties[name]
    lowered = name.lower()
    return next((value for key, value in properties.items() if key.lower() == lowered), None)


@RECORDS.scalar("JSON_PARSE", (Type.ANY,), Type.ANY, single=True)
def json_parse(column: Column) -> Array | Column:
    """The record or array that a JSON text holds; NULL for other texts and for what is no text.

    sql> GetType(JSON_PARSE('{"k": 1}'))
    'record'
    sql> JSON_PARSE('{k:')
    NULL
    sql> JSON_PARSE('17')
    NULL
    """
    if column.type is not Type.TEXT:
        return nulls(len(column))
    # One parser call a row: a text that is no JSON must not spoil the others (1 us a row).
    found = [None if text is None else _record_or_array(text) for text in column.values.to_pylist()]
    return Column(Type.ANY, pa.array(found, pa.string())).normal()


def _record_or_array(text: str) -> str | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return dump(value) if isinstance(value, dict | list) else None


def get_record_properties(column: Column) -> tuple[NDArray[np.int64], Column, Column]:
    """Return the properties of all records, in their order: (row of the record, name, value).

    NULL counts as empty. Raises DataError with the row for a value that is no record.
    """
    parsed = parsed_as(column, Type.RECORD)
    lengths = np.array([len(properties or ()) for properties in parsed], np.int64)
    parents = np.repeat(np.arange(len(column)), lengths)
    names = [name for properties in parsed if properties for name in properties]
    texts = [json_of(v) for properties in parsed if properties for v in properties.values()]
    values = Column(Type.ANY, pa.array(texts, pa.string())).normal()
    return parents, Column(Type.TEXT, pa.array(names, pa.string())), values if texts else nulls(0)
