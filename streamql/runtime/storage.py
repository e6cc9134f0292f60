"""Places for checkpoints, and directories, where one rename makes the folder of an epoch exist.

DIR/lock                        held by the job that uses the directory
DIR/epoch-000000000012/         one checkpoint: its files, never changed again
DIR/.draft-000000000013/        one that is being written; without a meaning after a crash
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import CheckpointError, UsageError

Write = Callable[[Any], None]
"""Writes a file's content to what it is given."""

MANIFEST = "manifest.json"
"""The file of an epoch that is written last: without it there is none."""

_EPOCH = re.compile(r"epoch-(\d{12})")
_DIGITS = 12


def folder_of(epoch: int) -> str:
    """Return the name of the folder of an epoch."""
    return f"epoch-{epoch:0{_DIGITS}}"


class Storage(ABC):
    """Where checkpoints are kept. `put` and `remove` come from one thread at a time.

    Attributes:
        name: how messages call it: the path or URI.
    """

    name: str

    @abstractmethod
    def lock(self, tell: Callable[[str], None] | None = None) -> None:
        """Take the place for this job alone. Raises UsageError when another one has it.

        `tell` gets a sentence when that takes a while.
        """

    @abstractmethod
    def unlock(self) -> None:
        """Give the place back."""

    def recall(self) -> None:
        """Raise CheckpointError when it is known that another job has taken the place over."""

    @abstractmethod
    def epochs(self) -> list[int]:
        """Return the epochs that are there, the oldest first. Raises CheckpointError."""

    @abstractmethod
    def put(
        self, epoch: int, files: Sequence[tuple[str, Write]], before: Callable[[], None]
    ) -> int:
        """Write the files of an epoch, in this order, so that it is there as a whole or not at all.
        Returns how many bytes they have.

        `before` is called when all is written, before the epoch can be seen. Raises
        CheckpointError.
        """

    @abstractmethod
    def get(self, epoch: int, file: str) -> memoryview:
        """Return a file's content. Raises OSError when it is not there or damaged, and
        CheckpointError when the place cannot be reached.
        """

    @abstractmethod
    def remove(self, epoch: int) -> None:
        """Remove an epoch, if it is there. Raises CheckpointError."""


class LocalStorage(Storage):
    """A directory of this machine, made when it is not there."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._root = Path(path).expanduser()
        self._lock: IO[str] | None = None

    def lock(self, tell: Callable[[str], None] | None = None) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            file = (self._root / "lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"cannot use {self.name} for checkpoints: {_reason(error)}",
                hint="--checkpoint takes a directory that can be written",
            ) from error
        try:
            # the lock of a process that has died is free: the kernel sees to that
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            file.close()
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise UsageError(f"cannot lock {self.name}: {_reason(error)}") from error
            raise UsageError(
                f"the checkpoints in {self.name} are in use by another job ({owner})",
                hint="wait for it, stop it, or give this job a directory of its own",
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        self._lock = file
        self._sweep()

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def epochs(self) -> list[int]:
        try:
            names = os.listdir(self._root)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"cannot read {self.name}: {_reason(error)}") from error
        found = [match for name in names if (match := _EPOCH.fullmatch(name))]
        return sorted(int(match[1]) for match in found)

    def put(
        self, epoch: int, files: Sequence[tuple[str, Write]], before: Callable[[], None]
    ) -> int:
        size = 0
        draft = self._root / f".draft-{epoch:0{_DIGITS}}"
        try:
            draft.mkdir()
            for name, write in files:
                with (draft / name).open("wb", buffering=1 << 20) as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                    size += file.tell()
            _sync(draft)
            before()
            draft.rename(self._root / folder_of(epoch))
            _sync(self._root)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise CheckpointError(
                f"cannot save a checkpoint in {self.name}: {_reason(error)}",
                hint="the checkpoint before it holds; free the place, and start the job again",
            ) from error
        return size

    def get(self, epoch: int, file: str) -> memoryview:
        return memoryview((self._root / folder_of(epoch) / file).read_bytes())

    def remove(self, epoch: int) -> None:
        folder = self._root / folder_of(epoch)
        grave = self._root / f".draft-{epoch:0{_DIGITS}}"
        try:
            folder.rename(grave)  # never half of one where a whole one is looked for
            shutil.rmtree(grave)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CheckpointError(f"cannot remove {folder}: {_reason(error)}") from error

    def _sweep(self) -> None:
        """Remove what a crash has left half written."""
        for left in self._root.glob(".draft-*"):
            shutil.rmtree(left, ignore_errors=True)


def _sync(directory: Path) -> None:
    """Make the names in a directory outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
