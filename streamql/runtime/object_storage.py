"""Checkpoints on file systems without renames and locks, such as object stores.

    ROOT/owner-000002-ID.json           who has the place (`claims`)
    ROOT/epoch-000000000012-000002/     a checkpoint, and the term of the job that took it

A checkpoint is there when its manifest is, which is written last and removed first; what is without
one has no meaning. Each job writes to folders of its own term, so that one that was taken over, and
does not know yet, changes nothing that is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import CheckpointError
from .claims import Claims, owner_term
from .remote_folder import RemoteFolder
from .storage import MANIFEST, Storage, Write, folder_of

_FILE = re.compile(r"(epoch-(\d{12})(?:-(\d{6,}))?)/(.+)")


@dataclass(frozen=True, order=True)
class _File:
    """A file of a checkpoint; a term of 0 is of one that was copied from a directory."""

    epoch: int
    term: int
    folder: str
    name: str

    @classmethod
    def of(cls, paths: Sequence[str]) -> list[_File]:
        """Return those of the paths that are files of checkpoints, in order."""
        found = filter(None, map(_FILE.fullmatch, paths))
        return sorted(cls(int(f[2]), int(f[3] or 0), f[1], f[4]) for f in found)


class ObjectStorage(Storage):
    """A folder of a remote file system."""

    def __init__(self, folder: RemoteFolder, claims: Claims | None = None) -> None:
        self.name = folder.name
        self._folder = folder
        self._claims = claims or Claims(folder)
        self._begun = 0  # the newest epoch of the jobs before this one
        self._folders: dict[int, str] = {}

    def lock(self, tell: Callable[[str], None] | None = None) -> None:
        self._claims.take(tell, _term)
        try:
            self._begun = max((f.epoch for f in self._whole(self._folder.list())), default=0)
            self._sweep(self._folder.list())
        except BaseException:
            self._claims.release()
            raise

    def unlock(self) -> None:
        self._claims.release()

    def recall(self) -> None:
        self._claims.recall()

    def epochs(self) -> list[int]:
        whole = self._whole(self._folder.list())
        self._folders = {file.epoch: file.folder for file in whole if not self._is_late(file)}
        return list(self._folders)

    def put(
        self, epoch: int, files: Sequence[tuple[str, Write]], before: Callable[[], None]
    ) -> int:
        folder = f"{folder_of(epoch)}-{self._claims.term:06}"
        *others, (manifest, write) = files
        try:
            size = sum(self._folder.write(f"{folder}/{name}", each) for name, each in others)
            self._claims.check()
            before()
            size += self._folder.write(f"{folder}/{manifest}", write)
            self._sweep(self._claims.check())
        except CheckpointError:
            self._give_up(folder)
            raise
        return size

    def get(self, epoch: int, file: str) -> memoryview:
        if epoch not in self._folders and epoch not in self.epochs():
            raise FileNotFoundError(file)
        return self._folder.read(f"{self._folders[epoch]}/{file}")

    def remove(self, epoch: int) -> None:
        files = _File.of(self._folder.list())
        for folder in dict.fromkeys(file.folder for file in files if file.epoch == epoch):
            self._remove(folder)

    def _remove(self, folder: str) -> None:
        """Remove a checkpoint: it is not there from the first step on."""
        self._folder.remove(f"{folder}/{MANIFEST}")
        self._folder.remove_folder(folder)

    def _give_up(self, folder: str) -> None:
        try:
            self._remove(folder)
        except CheckpointError:
            return  # what is wrong with the place has been found out already

    def _whole(self, paths: Sequence[str]) -> list[_File]:
        """Return the manifests."""
        return [file for file in _File.of(paths) if file.name == MANIFEST]

    def _is_late(self, file: _File) -> bool:
        """Tell whether a checkpoint came from a job before this one after this one had begun."""
        return file.term < self._claims.term and file.epoch > self._begun

    def _sweep(self, paths: Sequence[str]) -> None:
        """Remove what jobs before this one have left half written, or finished too late."""
        whole = {file.folder for file in self._whole(paths)}
        for file in _File.of(paths):
            half = file.folder not in whole and file.term < self._claims.term
            if half or self._is_late(file):
                self._remove(file.folder)


def _term(path: str) -> int:
    """Return the term that a file is of; 0 for one that has none."""
    return max((file.term for file in _File.of([path])), default=owner_term(path))
