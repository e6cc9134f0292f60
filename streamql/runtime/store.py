"""The checkpoints of a job: saved whole, the newest whole one found again, old ones removed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..connectors.uri import parse_uri
from ..errors import UsageError
from .checkpoint import (
    STATE,
    Checkpoint,
    Damaged,
    NewerVersion,
    check_state,
    checkpoint_of,
    files_of,
    read_manifest,
)
from .identity import ANEW
from .storage import MANIFEST, LocalStorage, Storage

_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(?=/[^/])")
"""What becomes of `s3://` as a path."""


def open_storage(place: str) -> Storage:
    """Return the storage of a path or URI. Nothing is made or locked yet. Raises UsageError."""
    if not place.strip():
        raise UsageError("--checkpoint is empty", hint="give a directory or a URI")
    scheme, remote, _ = place.partition("://")
    if not remote:
        if found := _PATH.match(place):
            raise UsageError(
                f"{place} is neither a path nor a URI",
                hint=f"Path takes a slash away: give text that begins with {found[0]}//",
            )
        return LocalStorage(place)
    if scheme.lower() == "file":
        return LocalStorage(parse_uri(place).path)
    from .object_storage import ObjectStorage
    from .remote_folder import open_remote

    return ObjectStorage(open_remote(place))


class Store:
    """The checkpoints in one place.

    `warn` is told of damaged ones that are passed over.
    """

    def __init__(self, storage: Storage, keep: int, warn: Callable[[str], None]) -> None:
        self.name = storage.name
        self._storage = storage
        self._keep = keep
        self._warn = warn
        self._last = 0

    def open(self, from_start: bool = False) -> Checkpoint | None:
        """Lock the place and return the newest whole checkpoint, None when there is none.

        With `from_start` all that is there is removed. Raises UsageError when another job uses the
        place, when all checkpoints are damaged, or when the newest is of a newer version.
        """
        self._storage.lock(self._warn)
        try:
            epochs = self._storage.epochs()
            self._last = epochs[-1] if epochs else 0
            if from_start:
                for epoch in epochs:
                    self._storage.remove(epoch)
                return None
            return self._newest(epochs) if epochs else None
        except BaseException:
            self._storage.unlock()
            raise

    def _newest(self, epochs: list[int]) -> Checkpoint:
        damaged: list[tuple[int, str]] = []
        for epoch in reversed(epochs):
            try:
                found = self.load(epoch)
            except Damaged as error:
                damaged.append((epoch, str(error)))
                continue
            except NewerVersion as error:
                raise UsageError(
                    f"checkpoint {epoch} in {self.name} was written by a newer streamql, in "
                    f"version {error} of the format",
                    hint=f"install that version again; {ANEW}",
                ) from None
            for passed, reason in damaged:
                self._warn(
                    f"checkpoint {passed} in {self.name} is damaged and passed over: {reason}; "
                    f"continuing from checkpoint {epoch}"
                )
            return found
        listed = "; ".join(f"checkpoint {epoch}: {reason}" for epoch, reason in damaged)
        raise UsageError(
            f"all checkpoints in {self.name} are damaged: {listed}",
            hint=f"put whole ones back from a copy, or start anew: {ANEW}",
        )

    def epochs(self) -> list[int]:
        """Return the epochs that are there, the oldest first."""
        return self._storage.epochs()

    def manifest(self, epoch: int) -> dict[str, Any]:
        """Return what a checkpoint says of itself. Raises Damaged or NewerVersion."""
        return read_manifest(bytes(self._get(epoch, MANIFEST)))

    def check(self, epoch: int) -> dict[str, Any]:
        """Return the manifest after all checksums have been compared. Raises as `manifest`."""
        manifest = self.manifest(epoch)
        check_state(manifest, self._get(epoch, STATE))
        return manifest

    def load(self, epoch: int) -> Checkpoint:
        """Return a checkpoint. Raises Damaged or NewerVersion."""
        manifest = self.manifest(epoch)
        state = self._get(epoch, STATE)
        check_state(manifest, state)
        return checkpoint_of(manifest, state)

    def _get(self, epoch: int, file: str) -> memoryview:
        try:
            return self._storage.get(epoch, file)
        except FileNotFoundError:
            raise Damaged(f"{file} is missing") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Damaged(f"{file} cannot be read: {reason}") from None

    def recall(self) -> None:
        """Raise CheckpointError when it is known that another job has taken the place over."""
        self._storage.recall()

    def next_epoch(self) -> int:
        """Return the number of the next checkpoint."""
        self._last += 1
        return self._last

    def save(self, checkpoint: Checkpoint, before: Callable[[], None]) -> int:
        """Save a checkpoint; `before` is called when it is written but not there yet.

        Returns how many bytes it has. Raises CheckpointError.
        """
        return self._storage.put(checkpoint.epoch, files_of(checkpoint), before)

    def prune(self) -> None:
        """Remove all but the newest checkpoints."""
        for epoch in self._storage.epochs()[: -self._keep]:
            self._storage.remove(epoch)

    def close(self) -> None:
        """Give the place to other jobs."""
        self._storage.unlock()
