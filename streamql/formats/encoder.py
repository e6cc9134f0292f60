"""The contract of output formats: rows in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from ..column import Column

Encoded: TypeAlias = bytes | pa.Buffer
"""Bytes to write; may be empty when the format keeps rows back (parquet does)."""


class Encoder(Protocol):
    """Turns the rows of one output into the bytes of one file. Used once, from one thread.

    `columns` and `records` come in any order and number; `end` comes once, after the last of them,
    and returns what completes the file. Rows that do not fit the format raise `OutputError`.
    """

    def columns(self, names: Sequence[str], columns: Sequence[Column]) -> Encoded:
        """Encode rows given as columns."""

    def records(self, texts: pa.StringArray) -> Encoded:
        """Encode rows that are records (JSON text) already."""

    def end(self) -> Encoded:
        """Return what completes the file."""

    def state(self) -> dict[str, Any]:
        """Return what a new encoder needs to go on in the same file, as plain values."""

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where an encoder was whose `state` this is; before anything is encoded."""
