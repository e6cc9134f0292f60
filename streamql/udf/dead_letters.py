"""Dead letters: rows that could not be scored, as JSON lines in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import orjson

from ..errors import OutputError


class DeadLetters:
    """Appends records to a file, which is made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def put(self, record: Mapping[str, Any]) -> None:
        """Write one record at once. Raises OutputError."""
        try:
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            self._file.write(
                orjson.dumps(dict(record), option=orjson.OPT_APPEND_NEWLINE, default=str)
            )
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
