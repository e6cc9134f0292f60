"""Dead letters: events and rows that a job gave up, as JSON lines in a file.

In jobs with checkpoints the length of the file is in the checkpoint, and a restart cuts it off
there, as an output's file. A checkpoint is no single moment, though: the operators' state is that
of one, and each output adds what it got before. A letter that comes from a part of the job behind
its share in the checkpoint, and before the last part has added its own, is held back until then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

import orjson

from ..errors import OutputError, RunError, UsageError

_MOST_HELD = 16_000_000
"""Bytes that are held back before whoever has more to put waits."""


def _now() -> datetime:
    return datetime.now(UTC)


class DeadLetters:
    """Appends records to a file, which is made when the first one comes. Used from any thread."""

    def __init__(
        self, path: Path, now: Callable[[], datetime] = _now, most_held: int = _MOST_HELD
    ) -> None:
        self._path = path
        self._now = now
        self._most_held = most_held
        self._file: FileIO | None = None
        self._own = False  # a file that is cut off at a restart
        self._regular = True
        self._length = 0
        self._synced = 0
        self._cut: set[str | None] = set()
        self._held: list[bytes] = []
        self._size = 0
        self._changed = threading.Condition()

    def put(self, record: Mapping[str, Any]) -> None:
        """Write one record, with the time of now. Raises OutputError."""
        time = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = orjson.dumps({**record, "time": time}, option=orjson.OPT_APPEND_NEWLINE, default=str)
        part = record["output"] if record.get("kind") == "output" else None
        with self._changed:
            while part in self._cut and self._size >= self._most_held:
                self._changed.wait()
            if part in self._cut:
                self._held.append(line)
                self._size += len(line)
            else:
                self._write(line)

    # -- jobs with checkpoints ----------------------------------------------------------------

    def resume(self, state: Mapping[str, Any] | None) -> None:
        """Take back what was put after the checkpoint that holds this state; None: begin anew.

        Raises OutputError when there is less than the checkpoint says, UsageError when another job
        writes the file.
        """
        with self._changed:
            self._own = True
            self._held, self._size = [], 0  # of a run that is over
            self._cut.clear()
            wanted = 0 if state is None else int(state["bytes"])
            there = self._path.stat().st_size if self._path.is_file() else 0
            if there < wanted:
                raise OutputError(
                    f"{self._path} has {there:,} bytes of dead letters, and the checkpoint is of "
                    f"{wanted:,}: it was replaced or cut off since",
                    hint="put it back, or --from-start begins anew",
                )
            if there or self._file is not None:
                self._shorten(self._open(), wanted)
            self._synced = wanted

    def cut(self, part: str | None = None) -> None:
        """What this part puts from here on belongs to the next checkpoint.

        A part is an output, by name; None is all the rest, which has one thread.
        """
        with self._changed:
            self._cut.add(part)

    def prepare(self) -> dict[str, Any]:
        """Make what belongs to the checkpoint last, and return its state: all parts are cut."""
        with self._changed:
            try:
                if self._file is not None and self._regular and self._length > self._synced:
                    os.fsync(self._file.fileno())
            except OSError as error:
                raise self._failed(error) from None
            self._synced = self._length
            return {"bytes": self._length}

    def release(self) -> None:
        """Write what was held back. Raises OutputError."""
        with self._changed:
            held, self._held, self._size = self._held, [], 0
            self._cut.clear()
            self._changed.notify_all()
            for line in held:
                self._write(line)

    def close(self) -> None:
        """Write what was held back, and close the file."""
        with contextlib.suppress(RunError):
            self.release()
        if self._file is not None:
            self._file.close()

    # -- the file -----------------------------------------------------------------------------

    def _open(self) -> FileIO:
        if self._file is None:
            try:
                file = FileIO(str(self._path), "ab")
            except OSError as error:
                raise self._failed(error) from None
            about = os.fstat(file.fileno())
            self._regular = stat.S_ISREG(about.st_mode)
            self._length = about.st_size if self._regular else 0
            if self._regular:
                self._lock(file)
            self._file = file
        return self._file

    def _lock(self, file: FileIO) -> None:
        """Hold the file: jobs without checkpoints may share one, none may cut off another's."""
        kind = fcntl.LOCK_EX if self._own else fcntl.LOCK_SH
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UsageError(
                f"another job writes its dead letters to {self._path}",
                hint="give each job with checkpoints a file of its own: --set dead_letters=FILE",
            ) from None
        except OSError:  # a file system without locks
            return

    def _write(self, line: bytes) -> None:
        file = self._open()
        view = memoryview(line)
        try:
            while len(view):
                view = view[file.write(view) or 0 :]
        except OSError as error:
            if self._regular and len(view) < len(line):
                self._shorten(file, self._length)  # no half of a line stays
            raise self._failed(error) from None
        self._length += len(line)

    def _shorten(self, file: FileIO, length: int) -> None:
        if not self._regular:
            return
        try:
            file.truncate(length)
        except OSError as error:
            raise self._failed(error) from None
        self._length = length

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {(error.strerror or str(error)).lower()}")
