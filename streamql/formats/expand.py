"""Records to columns, for outputs that have columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from ..column import Column, from_values
from ..types import Type


def columns_of_records(texts: pa.StringArray) -> tuple[list[str], list[Column]]:
    """Return the fields of records (JSON texts) as columns, in the order of first sight.

    Sequential: one parser call per batch, then a Python loop (about 1 million values/s). Only
    `SELECT *` into CSV, parquet or a table comes here.
    """
    records: list[Any] = Column(Type.RECORD, texts).to_pylist()
    names = list(dict.fromkeys(name for record in records if record for name in record))
    columns = [from_values([(record or {}).get(name) for record in records]) for name in names]
    return names, columns
