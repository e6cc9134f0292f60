"""Versions of data that are looked up, not read as a stream: each is valid from a time on.

One file, folder or pattern has one version, valid always. A path with `{date}` (YYYY/MM/DD or
YYYY-MM-DD) and perhaps `{time}` (HH or HH-mm) has one version for each time that its files name, in
UTC, valid from that time until the next (language.md, Reference data).
"""

from __future__ import annotations

import glob
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from .. import instants
from ..errors import UsageError
from ..formats.decoded import Decoded
from .catalog import open_source
from .contract import Source
from .file import find_files, is_regular
from .uri import parse_uri

ALWAYS = -(2**63)
"""The time, in ticks, from which data without a time are valid."""

FileState = tuple[str, int, int, int]
"""Path, inode, time of the last change in ns, and bytes of a file."""

_TOKEN = re.compile(r"\{(date|time)\}")
_REGEX = {
    "date": r"(?P<year>\d{4})(?P<between>[/-])(?P<month>\d\d)(?P=between)(?P<day>\d\d)",
    "time": r"(?P<hour>\d\d)(?:-(?P<minute>\d\d))?",
}
_D = "[0-9]"
_GLOBS = {
    "date": (f"{_D * 4}/{_D * 2}/{_D * 2}", f"{_D * 4}-{_D * 2}-{_D * 2}"),
    "time": (_D * 2, f"{_D * 2}-{_D * 2}"),
}
_WILD = {r"\*\*": ".*", r"\*": "[^/]*", r"\?": "[^/]"}
_HINT = "{date} is YYYY/MM/DD or YYYY-MM-DD, {time} is HH or HH-mm"


@dataclass(frozen=True)
class Version:
    """Data that are valid from `since` (ticks) on.

    Attributes:
        sources: where they are read from, one after the other.
        files: the state of each file when the version was found; empty for what cannot change.
    """

    since: int
    sources: Sequence[Source] = field(compare=False)
    files: tuple[FileState, ...] = ()

    def is_current(self) -> bool:
        """Tell whether its files are still what they were when it was found."""
        try:
            return _states([path for path, *_ in self.files]) == self.files
        except OSError:
            return False

    def blocks(self) -> Iterator[Decoded]:
        """Read the version. Raises InputError."""
        for source in self.sources:
            for partition in source.partitions():
                reader = source.open(partition)
                try:
                    while (found := reader.read()) is not None:
                        yield from found
                finally:
                    reader.close()


class Versions(ABC):
    """All versions of one set of data."""

    @abstractmethod
    def now(self) -> list[Version]:
        """Return the versions that are there now, in order of time; none if all are gone."""


class OneVersion(Versions):
    """Data that do not change while a job runs: values of the calling program, standard input."""

    def __init__(self, source: Source) -> None:
        self._version = Version(ALWAYS, (source,))

    def now(self) -> list[Version]:
        return [self._version]


class FileVersions(Versions):
    """A file, folder or pattern without a time in its path."""

    def __init__(self, uri: str, path: str, opened: Callable[..., Source]) -> None:
        self._uri = uri
        self._path = path
        self._opened = opened

    def now(self) -> list[Version]:
        try:
            source = self._opened(self._uri)
            return [Version(ALWAYS, (source,), _states(find_files(self._path)))]
        except (UsageError, OSError):
            return []


class DatedVersions(Versions):
    """Files whose path holds a time. Files of the same time are one version together."""

    def __init__(
        self, path: str, options: Mapping[str, str], opened: Callable[..., Source]
    ) -> None:
        self._options = options
        self._opened = opened
        pieces = _TOKEN.split(os.path.expanduser(path))
        tokens = pieces[1::2]
        if tokens.count("date") != 1 or tokens.count("time") > 1:
            found = f"{tokens.count('date')} {{date}} and {tokens.count('time')} {{time}}"
            raise UsageError(f"{path} has {found}", hint=f"write {{date}} once; {_HINT}")
        patterns = [""]
        regex = ""
        for number, piece in enumerate(pieces):
            token = bool(number % 2)
            choices = _GLOBS[piece] if token else (piece,)
            patterns = [p + c for p in patterns for c in choices]
            regex += _REGEX[piece] if token else _literal(piece)
        self._patterns = patterns
        self._regex = re.compile(regex)

    def now(self) -> list[Version]:
        by_time: dict[int, list[str]] = {}
        for pattern in self._patterns:
            for path in glob.glob(pattern, recursive=True):
                since = self._time_of(path)
                if since is not None and is_regular(path):
                    by_time.setdefault(since, []).append(path)
        return [self._version(since, sorted(by_time[since])) for since in sorted(by_time)]

    def _version(self, since: int, paths: list[str]) -> Version:
        sources = [self._opened(p, self._options) for p in paths]
        return Version(since, sources, _states(paths))

    def _time_of(self, path: str) -> int | None:
        """Return the time in a path; None if it is none, as 2024/13/01."""
        found = self._regex.fullmatch(path)
        if found is None:
            return None
        named = found.groupdict()
        year, month, day, hour, minute = (
            int(named.get(part) or 0) for part in ("year", "month", "day", "hour", "minute")
        )
        try:
            moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
        except ValueError:
            return None
        return instants.from_datetime(moment)


def versions_of(uri: str, block_bytes: int, depth: int | None = None) -> Versions:
    """Return the versions of what a URI means. Raises UsageError when there is nothing."""
    parsed = parse_uri(uri)
    opened = partial(open_source, block_bytes=block_bytes, depth=depth)
    if parsed.scheme == "file" and _TOKEN.search(parsed.path) and not os.path.exists(parsed.path):
        dated = DatedVersions(parsed.path, parsed.options, opened)
        if not dated.now():
            raise UsageError(f"no file matches {uri}", hint=_HINT)
        return dated
    source = opened(uri)
    if parsed.scheme == "file" and not source.live:
        return FileVersions(uri, parsed.path, opened)
    return OneVersion(source)


def _literal(piece: str) -> str:
    """Return the regular expression for the text between tokens, which may hold `*` and `?`."""
    escaped = re.escape(piece)
    for wild, regex in _WILD.items():
        escaped = escaped.replace(wild, regex)
    return escaped


def _states(paths: Sequence[str]) -> tuple[FileState, ...]:
    """Return the state of each file. Raises OSError when one is gone."""
    stats = [(path, os.stat(path)) for path in paths]
    return tuple((path, s.st_ino, s.st_mtime_ns, s.st_size) for path, s in stats)
