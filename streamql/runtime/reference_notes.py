"""What a checkpoint notes of reference data: which versions events were joined with.

The rows themselves are not kept. A job that continues reads the data again, and joins the events
behind its checkpoint with what it finds; that is told when it is not what there was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import instants
from ..connectors.versions import ALWAYS, Version
from ..rows import Rows
from .references import ReferenceData, Snapshot

Note = dict[str, Any]
"""A version in plain values: `since`, `digest` of its content, and `files`: path, bytes and time of
the last change (in ns) of each."""

_CHUNK = 1 << 20


class ReferenceNotes:
    """Notes of the reference data of a job. Used from the pipeline's thread."""

    def __init__(self, references: Mapping[str, ReferenceData]) -> None:
        self._references = references
        self._noted: dict[str, list[Note]] = {}
        for reference in references.values():
            reference.on_load = digest_of  # a checkpoint does not wait for it then
        self.take()

    def take(self) -> dict[str, list[Note]]:
        """Return the versions that were used since the last time, or those of then if none was."""
        for name, reference in self._references.items():
            if used := reference.used():
                self._noted[name] = [_note(since, snapshot) for since, snapshot in used]
        return dict(self._noted)


def tell_changed(
    noted: Mapping[str, Sequence[Note]],
    references: Mapping[str, ReferenceData],
    epoch: int,
    tell: Callable[[str], None],
) -> None:
    """Tell which reference data are not what they were at a checkpoint."""
    for name, notes in noted.items():
        reference = references.get(name)
        differences = [] if reference is None else [*_differences(notes, reference)]
        if differences:
            tell(
                f"the reference data {name} are not those of checkpoint {epoch}, and events behind "
                f"it are joined with what is there now: {'; '.join(differences)}"
            )


def shown(note: Note) -> str:
    """Return a version for people."""
    since = "" if note["since"] == ALWAYS else f" from {_instant(note['since'])} on"
    files = ", ".join(_file(file) for file in note["files"]) or "no file"
    return f"{files}{since}"


def digest_of(snapshot: Snapshot) -> str:
    """Return the digest of what a snapshot was made of; empty if that has changed meanwhile."""
    if snapshot.digest is None:
        version = snapshot.version
        found = _of_files(version) if version.files else _of_rows(snapshot.rows)
        snapshot.digest = found
    return snapshot.digest


def _note(since: int, snapshot: Snapshot) -> Note:
    files = [[path, size, changed] for path, _, changed, size in snapshot.version.files]
    return {"since": since, "digest": digest_of(snapshot), "files": files}


def _differences(notes: Sequence[Note], reference: ReferenceData) -> Iterator[str]:
    for note in notes:
        version = reference.version(note["since"])
        if version is None:
            yield f"{shown(note)}: gone"
            continue
        now = [[path, size, changed] for path, _, changed, size in version.files]
        if note["files"] and now == note["files"]:
            continue  # not looked into: that would read them all once more
        found = _of_files(version) if now else reference.digest(note["since"], digest_of)
        if found != note["digest"]:
            files = ", ".join(map(_file, now))
            yield f"{shown(note)}, now {files}" if files else "the values that the program gives"


def _of_files(version: Version) -> str:
    digest = hashlib.blake2b(digest_size=16)
    try:
        for path, *_ in version.files:
            with Path(path).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest() if version.is_current() else ""


def _of_rows(rows: Rows) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for text in rows.record().values.to_pylist() if len(rows) else ():
        digest.update((text or "").encode() + b"\n")
    return digest.hexdigest()


def _file(file: Sequence[Any]) -> str:
    path, size, changed = file
    moment = datetime.fromtimestamp(changed / 1e9, UTC)
    return f"{path} with {size:,} bytes of {moment:%Y-%m-%d %H:%M:%S} UTC"


def _instant(ticks: int) -> str:
    return f"{instants.to_datetime(ticks):%Y-%m-%d %H:%M}"
