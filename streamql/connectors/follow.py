"""Files that are followed: what they grow by, and files that come, as they come.

The files are looked at again and again. In one look they are read in the order of their names,
each up to the size it had then; a file that comes later is read later, whatever its name. A file is
known by its inode and its first bytes, so that one that was renamed is not read again.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, UsageError
from ..formats.catalog import Format
from ..formats.decoded import Decoded
from .contract import ALL, Position, Reader, Source
from .file import list_files
from .following import Following
from .tail import Tail

_MOST_OPEN = 64
"""Files that are kept open between two looks: those that grew last."""

Key = tuple[int, int]
There = dict[Key, tuple[str, int, int]]
"""Path, size and time of the last change of each file that is there, in the order of names."""


class FollowedFiles(Source):
    """A file, a directory or a pattern that is followed; it has no end.

    What is not there yet is waited for, but not for a directory that nobody has made. Where a job
    begins, all that is there is read.
    """

    live = True

    def __init__(self, path: str, layout: Format, following: Following) -> None:
        self.name = path
        self._path = os.path.expanduser(path)
        self._format = layout
        self._following = following
        found = list_files(self._path)
        for file in found:
            layout.of_file(file)
            if not os.access(file, os.R_OK):
                raise UsageError(f"cannot read {file}: permission denied")
        parent = os.path.dirname(self._path) or "."
        plain = not glob.has_magic(self._path)
        if plain and not found and not os.path.isdir(parent):
            raise UsageError(f"there is no directory {parent}", hint="make it first")

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        return _FollowingReader(self._path, self._format, self._following, position)


class _FollowingReader(Reader):
    """Reads what comes; `read` returns nothing when a look has found nothing new."""

    def __init__(
        self, path: str, layout: Format, following: Following, position: Position | None
    ) -> None:
        self._path = path
        self._format = layout
        self._following = following
        self._events = 0
        self._tails: list[Tail] = []
        self._gone: dict[Key, int] = {}
        self._told: set[str] = set()
        self._restored = False
        if position is not None:
            if "files" not in position:
                raise InputError(
                    "the position is one of files that were not followed",
                    hint="leave --follow out as before, or start again with --from-start",
                )
            self._events = int(position["events"])
            for file, entry in position["files"].items():
                self._tails.append(Tail.of_entry(file, entry, self._settled(file) or layout))
            self._restored = True
        self._steps = self._run()

    def read(self) -> list[Decoded] | None:
        found = next(self._steps)
        self._events += sum(len(f) + len(f.bad) for f in found)
        return found

    def position(self) -> Position:
        files: dict[str, Any] = {tail.path: tail.entry for tail in self._tails}
        return {"events": self._events, "files": files}

    def close(self) -> None:
        self._steps.close()  # type: ignore[attr-defined]
        for tail in self._tails:
            tail.close()

    # -- looks ------------------------------------------------------------------------------

    def _run(self) -> Iterator[list[Decoded]]:
        while True:
            there = self._there()
            for tail, until, stamp in self._turn(there) if there is not None else ():
                yield from self._guarded(tail, self._read(tail, until, stamp))
            for tail in sorted(self._tails, key=lambda t: t.quiet)[_MOST_OPEN:]:
                if not tail.unfinished:
                    tail.close()
            self._following.wait(self._following.poll)
            yield []

    def _there(self) -> There | None:
        """Return the files that are there; None when that cannot be told."""
        try:
            paths = list_files(self._path)
        except OSError as error:
            self._tell(f"cannot look into {self._path}: {_reason(error)}; waiting")
            return None
        found: There = {}
        for path in paths:
            try:
                status = os.stat(path)
            except OSError:
                continue  # it went between the two
            key = status.st_dev, status.st_ino
            found.setdefault(key, (path, status.st_size, status.st_mtime_ns))
        if not found and not self._tails:
            self._tell(f"there is nothing at {self._path} yet; waiting")
        return found

    def _turn(self, there: There) -> list[tuple[Tail, int, int]]:
        """Return what to read in this look: each file, its size (-1: it left), its last change.

        Those that left come first: what follows under their names is newer.
        """
        if self._restored:
            self._recognize(there)
            self._restored = False
        left = [tail for tail in self._tails if tail.key not in there]
        names = {tail.path for tail in left}
        self._gone = {t.key: self._gone.get(t.key, 0) + 1 for t in left}
        known = {tail.key: tail for tail in self._tails}
        present = []
        for key, (path, size, stamp) in there.items():
            tail = known.get(key)
            # a new file under the name of one that left waits until that one is done
            if tail is None and path not in names and (layout := self._settled(path)) is not None:
                tail = Tail(path, key, layout)
                self._tails.append(tail)
            if tail is not None:
                tail.path = path
                present.append((tail, size, stamp))
        return [(tail, -1, 0) for tail in left] + present

    def _recognize(self, there: There) -> None:
        """Find the files of a checkpoint again: under their names, else renamed, by their inode."""
        by_path = {path: key for key, (path, _, _) in there.items()}
        for tail in list(self._tails):
            places = [(tail.path, by_path[tail.path])] if tail.path in by_path else []
            places += [(path, key) for path, key in _beside(tail.path) if key[1] == tail.key[1]]
            if any(tail.moved(path, key) for path, key in places):
                continue
            self._tails.remove(tail)
            if tail.path in by_path:
                found = "another file than before, or shorter than what was read of it"
                self._following.warn(f"{tail.path} is {found}: read from its start")
            else:
                self._following.warn(f"{tail.path} is gone; {tail.events:,} events of it were read")

    def _settled(self, path: str) -> Format | None:
        try:
            return self._format.of_file(path)
        except UsageError as error:
            self._tell(f"{error.message}; left out")
            return None

    # -- one file ---------------------------------------------------------------------------

    def _read(self, tail: Tail, until: int, stamp: int) -> Iterator[list[Decoded]]:
        """Yield what is new in a file; `until` is its size, -1 for a file that left."""
        if until < 0:
            yield from self._leaving(tail)
            return
        if until == tail.offset and stamp == tail.stamp:
            tail.quiet += 1
            if tail.unfinished and tail.quiet * self._following.poll >= self._following.quiet:
                yield tail.ended(self._events + 1)
            return
        tail.open()
        if not tail.is_same():
            yield from self._start_over(tail)
        before = tail.offset
        yield from tail.grown(until, self._events + 1)
        tail.quiet = 0 if tail.offset > before else tail.quiet + 1
        tail.stamp = stamp

    def _leaving(self, tail: Tail) -> Iterator[list[Decoded]]:
        """Yield what is left of a file that has no name any more, or another; then forget it.

        Whoever writes it may not know yet, so it is read once more in the next look.
        """
        tail.open()
        before = tail.offset
        yield from tail.grown(tail.size, self._events + 1)
        if tail.offset == before and self._gone[tail.key] > 1:
            self._tails.remove(tail)
            try:
                yield tail.ended(self._events + 1)
            finally:
                tail.close()

    def _start_over(self, tail: Tail) -> Iterator[list[Decoded]]:
        found = "holds something else than before"
        if tail.size < tail.offset:
            found = f"got shorter ({tail.offset:,} bytes were read, {tail.size:,} are there)"
        self._following.warn(f"{tail.path} {found}: read from its start")
        try:
            yield tail.ended(self._events + 1)
        except InputError as error:
            self._damaged(tail, error)
        tail.start_over()

    def _guarded(self, tail: Tail, steps: Iterator[list[Decoded]]) -> Iterator[list[Decoded]]:
        """Go on with the other files where one is damaged or cannot be read."""
        try:
            yield from steps
        except FileNotFoundError:
            if tail.key in self._gone:  # it went while it was closed: nothing more can be read
                self._tails.remove(tail)
        except OSError as error:
            self._tell(f"cannot read {tail.path}: {_reason(error)}; trying again")
        except InputError as error:
            self._damaged(tail, error)
            tail.give_up()

    def _damaged(self, tail: Tail, error: InputError) -> None:
        message = f"{tail.path}: {error.message}"
        message += f" ({tail.events:,} events before that are fine)" if tail.events else ""
        if self._following.strict:
            raise InputError(message, hint=error.hint, event=self._events + 1) from error
        self._following.warn(f"{message}; the rest of it is left out")

    def _tell(self, text: str) -> None:
        """Warn once."""
        if text not in self._told:
            self._told.add(text)
            self._following.warn(text)


def _beside(path: str) -> Iterator[tuple[str, Key]]:
    """Yield the files in a file's directory."""
    try:
        with os.scandir(os.path.dirname(path) or ".") as entries:
            for entry in entries:
                if entry.is_file():
                    status = entry.stat()
                    yield entry.path, (status.st_dev, status.st_ino)
    except OSError:
        return


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
