"""Files as inputs: one path, a pattern, or a directory.

Several files are one input, read in the order of their names; events are numbered across them.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from io import FileIO

from ..errors import InputError, UsageError
from ..formats.catalog import Format
from ..formats.decoded import Decoded
from ..projects.files import missing, near
from .bytestream import ByteReader
from .contract import ALL, Position, Reader, Source


class FileSource(Source):
    """Files. What is missing or empty of files is refused at once.

    Args:
        path: a file, a directory (its files, also in subdirectories; names that start with a dot
            or an underscore are left out), or a pattern with `*`, `?`, `[...]`, `**`.
        layout: the format; what it leaves open the name of each file settles.
    """

    def __init__(self, path: str, layout: Format) -> None:
        self.name = path
        self._format = layout
        self.paths = find_files(path)
        self.live = not all(is_regular(found) for found in self.paths)
        for found in self.paths:
            layout.of_file(found)  # refuse a name that does not fit before anything runs

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        return _FilesReader(self.paths, self._format, position)


def is_regular(file: str | int) -> bool:
    """Tell whether a path or descriptor is a plain file, not a pipe or a terminal."""
    try:
        return stat.S_ISREG(os.stat(file).st_mode)
    except OSError:
        return True


def find_files(path: str) -> list[str]:
    """Return the files a path, a pattern or a directory means, sorted; `UsageError` if none."""
    path = os.path.expanduser(path)
    try:
        found = list_files(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot look into {path}: {reason}") from error
    if found:
        return found
    if os.path.isdir(path):
        raise UsageError(
            f"the directory {path} has no files",
            hint="names that start with a dot or an underscore are left out",
        )
    if glob.has_magic(path):
        raise UsageError(f"no file matches {path}", hint=near(path))
    raise missing(path)


def list_files(path: str) -> list[str]:
    """Return the files a path, a pattern or a directory means now, sorted. Raises OSError."""
    if os.path.isdir(path):
        return _files_below(path)
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        return [m for m in sorted(glob.glob(path, recursive=True)) if not os.path.isdir(m)]
    return []


def _files_below(directory: str) -> list[str]:
    """Return all files below a directory, sorted by path, hidden ones left out."""

    def refuse(error: OSError) -> None:
        if error.filename == directory:
            raise error

    found: list[str] = []
    for parent, directories, files in os.walk(directory, onerror=refuse):
        directories[:] = sorted(d for d in directories if d[0] not in "._")
        found += [os.path.join(parent, f) for f in files if f[0] not in "._"]
    return sorted(found)


class _FilesReader(Reader):
    """Reads files one after the other."""

    def __init__(self, paths: Sequence[str], layout: Format, position: Position | None) -> None:
        self._paths = paths
        self._format = layout
        self._current: ByteReader | None = None
        self._position: Position = position or {"file": paths[0], "before": 0, "events": 0}
        if "file" not in self._position:
            raise InputError(
                "the position is one of files that were followed",
                hint="give --follow as before, or start again with --from-start",
            )
        path = str(self._position["file"])
        if path not in paths:
            raise InputError(
                f"the file {path}, where reading stopped, is no longer there",
                hint="put it back, or start again with --from-start",
            )
        self._next = paths.index(path)
        self._base = int(self._position["before"])

    def read(self) -> list[Decoded] | None:
        while True:
            if self._current is None:
                if self._next == len(self._paths):
                    return None
                self._current = self._open(self._paths[self._next])
            found = self._current.read()
            path = self._paths[self._next]
            self._position = {"file": path, "before": self._base, **self._current.position()}
            if found is not None:
                return found
            self._base = max(self._base, self._current.events)
            self._current.close()
            self._current = None
            self._next += 1

    def _open(self, path: str) -> ByteReader:
        try:
            # unbuffered: blocks are large, and a named pipe must give what is there
            file = FileIO(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"cannot read {path}: {reason}") from error
        where = path if len(self._paths) > 1 else ""
        at = self._position if path == self._position["file"] else None
        return ByteReader(file, self._format.of_file(path), path, at, self._base, where)

    def position(self) -> Position:
        return self._position

    def close(self) -> None:
        if self._current is not None:
            self._current.close()
