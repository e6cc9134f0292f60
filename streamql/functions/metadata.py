"""What is known of an event's message without asking the message.

The function is not in the list of built-in functions: GetMetadataPropertyValue calls it.
"""

from __future__ import annotations

import pyarrow as pa

from ..column import Column
from ..types import Array, Type
from .registry import FunctionSet

METADATA = FunctionSet("metadata")


@METADATA.scalar("EventId", (Type.TEXT, Type.BIGINT), Type.TEXT)
def event_id(names: Column, numbers: Column) -> Array:
    """A GUID made of an input's name and an event's number in it: the same in each run.

    One hash per row (about 300,000 rows/s), paid only by queries that ask for it.
    """
    import uuid  # hashes take time to load, and few queries ask for an event's id

    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "streamql:event")
    name = names.values[0].as_py() if len(names) else ""
    found = [
        None if n is None else str(uuid.uuid5(namespace, f"{name}/{n}"))
        for n in numbers.values.to_pylist()
    ]
    return pa.array(found, pa.string())
