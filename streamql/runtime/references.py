"""Reference data at run time: which rows an event is joined with.

An event is joined with the version that is valid at its System.Timestamp(): of files with a time in
their path, the newest that is not after it; before the first of them there are no
rows. A file without a time in its path is valid at all times; when it changes while the job runs,
events that reach the join after the change was seen get the new rows, whatever their timestamps:
what has been joined stays as it is. Files are looked at every few seconds, while events come:

* A file that was put in another's place (its inode differs) is read at once. One that was written
  over is read when it stayed the same from one look to the next, since its writer may not be done.
* A version that cannot be read, or has malformed rows only, is left out with a warning, and the one
  before it stays; so it is with any malformed row where `input_errors` is `fail`.
* Files that are gone stay in effect. New files of a path with a time are found in the same way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..column import Column, concat
from ..connectors.versions import Version, Versions
from ..errors import DataError, InputError, RunError
from ..formats.decoded import BadEvent
from ..gapped import GappedRows
from ..plan.reads import Columns
from ..rows import ColumnRows, Rows
from ..settings import Settings
from .levels import OldLevel
from .schema import conform

Ints = NDArray[np.int64]

LOOK_EVERY = 5.0
"""Seconds between two looks at the files."""
_KEPT = 16
"""Versions that are kept in memory; events that are out of order need several."""


class StackedRows(Rows):
    """Rows one below the other; a field is put together once, when it is first asked for."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = list(parts) or [ColumnRows({}, 0)]
        self._fields: dict[tuple[str, ...], Column] = {}
        self.textual = all(part.textual for part in self._parts)

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def field(self, path: tuple[str, ...]) -> Column:
        if path not in self._fields:
            self._fields[path] = _whole([part.field(path) for part in self._parts])
        return self._fields[path]

    def record(self) -> Column:
        if () not in self._fields:
            self._fields[()] = _whole([part.record() for part in self._parts])
        return self._fields[()]

    def take(self, rows: Ints) -> Rows:
        return GappedRows(self, rows, np.ones(len(rows), bool))


def _whole(columns: Sequence[Column]) -> Column:
    return columns[0] if len(columns) == 1 else concat(columns)


class Snapshot:
    """The rows of one version. Equal only to itself, so that what is made of it can be kept.

    `digest` is that of its content, once somebody has asked for it.
    """

    def __init__(self, rows: Rows, version: Version) -> None:
        self.rows = rows
        self.version = version
        self.digest: str | None = None


class ReferenceData:
    """One set of reference data while a job runs. Used from the pipeline's thread.

    Args:
        name: as the query calls it, for messages.
        versions: where its versions are found.
        settings: of the job.
        warn: gets a sentence when something is wrong that the job survives.
        clock: seconds that rise, for the looks at the files.
        columns: what CREATE TABLE declares; rows that do not fit count as malformed.

    Raises InputError or DataError when the only version cannot be read.
    """

    def __init__(
        self,
        name: str,
        versions: Versions,
        settings: Settings,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        columns: Columns | None = None,
    ) -> None:
        self.on_load: Callable[[Snapshot], object] | None = None
        self._used: set[int] = set()
        self._columns = columns
        self.name = name
        self._origin = versions
        self._settings = settings
        self._warn = warn
        self._clock = clock
        self._snapshots: dict[int, Snapshot] = {}  # by time; the one used last is last
        self._bad: dict[int, Version] = {}
        self._changed: dict[int, Version] = {}
        self._versions = {version.since: version for version in versions.now()}
        self._looked = clock()
        if not self._versions:
            raise InputError(f"the files of the reference data {name} are gone")
        if len(self._versions) == 1:
            self._snapshot(0)

    def at(self, times: Ints) -> Iterator[tuple[Snapshot | None, Ints | None]]:
        """Yield each snapshot that is valid at some of the times, and at which (None: at all).

        There is one time at least. The snapshot None has no rows: its times are before the first
        version. Raises InputError or DataError when a version cannot be read and there is none
        before it.
        """
        self._look()
        since = np.array(sorted(self._versions), np.int64)
        ends = np.array([times.min(), times.max()])
        first, last = (np.searchsorted(since, ends, "right") - 1).tolist()
        if first == last:
            yield None if first < 0 else self._snapshot(first), None
            return
        numbers = np.searchsorted(since, times, "right") - 1
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            yield None if number < 0 else self._snapshot(number), rows

    def used(self) -> list[tuple[int, Snapshot]]:
        """Return what was used since the last call: from when on each is valid, and its rows."""
        used, self._used = sorted(self._used), set()
        return [(since, self._snapshots[since]) for since in used if since in self._snapshots]

    def version(self, since: int) -> Version | None:
        """Return the version that is valid from a time on."""
        return self._versions.get(since)

    def digest(self, since: int, of: Callable[[Snapshot], str]) -> str:
        """Return the digest of a version that has been read; empty for another one."""
        known = self._snapshots.get(since)
        return "" if known is None else of(known)

    # -- versions ---------------------------------------------------------------------------

    def _snapshot(self, number: int) -> Snapshot:
        """Return the rows of a version, or of the newest readable one before it."""
        since = sorted(self._versions)[number]
        version = self._versions[since]
        known = self._snapshots.pop(since, None)
        if known is None and (number == 0 or self._bad.get(since) != version):
            try:
                known = self._load(version)
            except RunError as error:
                if number == 0:
                    raise
                self._tell(error)
                self._bad[since] = version
        if known is None:
            return self._snapshot(number - 1)
        self._snapshots[since] = known
        self._used.add(since)
        while len(self._snapshots) > _KEPT:
            del self._snapshots[next(iter(self._snapshots))]
        return known

    def _look(self) -> None:
        """See what has changed since the last look, if that was long enough ago."""
        now = self._clock()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        for version in self._origin.now():
            old = self._versions.get(version.since)
            if old is None or (version != old and self._taken(version, old)):
                self._versions[version.since] = version

    def _taken(self, version: Version, old: Version) -> bool:
        """Tell whether a changed version is to be used instead of the old one."""
        since = version.since
        if since not in self._snapshots:
            return True
        if self._bad.get(since) == version:
            return False
        written_over = {f[1] for f in version.files} & {f[1] for f in old.files}
        if written_over and self._changed.get(since) != version:
            self._changed[since] = version
            return False
        try:
            self._snapshots[since] = self._load(version)
        except RunError as error:
            self._tell(error)
            self._bad[since] = version
            return False
        return True

    def _tell(self, error: RunError) -> None:
        self._warn(f"reference data {self.name} stay as they were: {error.message}")

    def _load(self, version: Version) -> Snapshot:
        parts: list[Rows] = []
        malformed = 0
        first: BadEvent | None = None
        level = self._settings.compatibility_level
        for block in version.blocks():
            rows, bad = block.rows, list(block.bad)
            if level != "1.2":
                rows = OldLevel(rows, level)
            if self._columns is not None and len(rows):
                found = conform(rows, self._columns, level)
                misfits = block.events[~found.keep].tolist()
                bad += [BadEvent(event, found.reason or "", b"") for event in misfits]
                rows = found.rows.filter(found.keep)
            malformed += len(bad)
            first = first or (bad[0] if bad else None)
            if len(rows):
                parts.append(rows)
        if first is not None:
            self._judge(malformed, first, sum(map(len, parts)))
        snapshot = Snapshot(StackedRows(parts), version)
        if self.on_load is not None:
            self.on_load(snapshot)
        return snapshot

    def _judge(self, malformed: int, first: BadEvent, good: int) -> None:
        """Warn of malformed rows; raises DataError where they are too many."""
        where = f", line {first.line:,}" if first.line is not None else ""
        found = f"row {first.event:,}{where}: {first.reason}"
        if self._settings.input_errors == "fail":
            raise DataError(
                f"malformed row in the reference data {self.name}: {found}",
                hint="--set input_errors=skip counts such rows and goes on",
            )
        if good == 0:
            raise InputError(f"all rows of the reference data {self.name} are malformed: {found}")
        self._warn(
            f"{malformed:,} of {malformed + good:,} rows of the reference data {self.name} "
            f"malformed, skipped; the first: {found}"
        )
