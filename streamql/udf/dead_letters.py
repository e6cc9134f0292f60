"""Dead letters: events and rows that a job gave up, as JSON lines in a file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from ..errors import OutputError


def _now() -> datetime:
    return datetime.now(UTC)


class DeadLetters:
    """Appends records to a file, which is made when the first one comes. Used from any thread."""

    def __init__(self, path: Path, now: Callable[[], datetime] = _now) -> None:
        self._path = path
        self._now = now
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    def put(self, record: Mapping[str, Any]) -> None:
        """Write one record at once, with the time of now. Raises OutputError."""
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = orjson.dumps({**record, "time": time}, option=orjson.OPT_APPEND_NEWLINE, default=str)
        with self._lock:
            try:
                if self._file is None:
                    self._file = self._path.open("ab", buffering=0)
                self._file.write(line)
            except OSError as error:
                raise OutputError(f"cannot write {self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
