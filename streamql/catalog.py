"""The inputs of an engine by name: how each is opened, and what is known of its columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from .connectors.catalog import open_source
from .connectors.contract import Position, Source, last_event
from .connectors.following import Following
from .connectors.memory import MemorySource
from .connectors.reading import Reading, ReadingWithout
from .connectors.uri import parse_uri
from .connectors.versions import OneVersion, Versions, versions_of
from .errors import InternalError, UsageError, suggest
from .formats.decoded import Decoded
from .formats.table import rows_from_arrow
from .plan.nodes import Shape
from .plan.reads import Columns
from .rows import ColumnRows, Rows, find
from .runtime.references import ReferenceData
from .settings import Settings

_OPEN = Shape()


@dataclass(frozen=True)
class Input:
    """One registered input: how to open it anew, its columns, and its default time column.

    `versions` are those of reference data; None for streams.
    """

    make: Callable[[], Source]
    shape: Shape = _OPEN
    timestamp: str | None = None
    versions: Versions | None = None
    uri: str | None = None
    live: bool = False


class Inputs:
    """What can stand in FROM."""

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._warn = warn
        self._inputs: dict[str, Input] = {}

    def add(self, name: str, given: Input, timestamp: str | None) -> None:
        """Add an input; a later one of the same name (ignoring case) wins."""
        known = find(name, self._inputs)
        if known is not None:
            del self._inputs[known]
        self._inputs[name] = replace(given, timestamp=timestamp)

    def add_uri(self, name: str, uri: str) -> None:
        """Add a file, folder, pattern or standard input. Raises UsageError when it is not there."""
        self.add(name, _of_uri(uri, self._settings, self._warn), None)

    def add_reference(self, name: str, given: Any) -> None:
        """Add reference data: a path or URI, or data given in Python. Raises UsageError."""
        self.add(name, _reference_of(given, self._settings), None)

    def reference(
        self, name: str, warn: Callable[[str], None], columns: Columns | None = None
    ) -> ReferenceData:
        """Open reference data for a job, of the declared columns if there are any.

        Raises InputError or DataError.
        """
        versions = self._inputs[name].versions
        if versions is None:
            raise InternalError(f"{name} is no reference data")
        return ReferenceData(name, versions, self._settings, warn, columns=columns)

    def has(self, name: str) -> bool:
        """Tell whether the name is taken."""
        return find(name, self._inputs) is not None

    def reads(self, name: str, uri: str) -> bool:
        """Tell whether the input reads the very file that `uri` names."""
        own = self._inputs[name].uri
        try:
            return own is not None and Path(own).samefile(uri)
        except OSError:
            return False

    def refuse_overwritten(self, names: Iterable[str], outputs: Mapping[str, Any]) -> None:
        """Raise UsageError when one of these inputs reads a file that an output writes, or when the
        dead letters go to a file of either."""
        letters = self._settings.dead_letters
        for output, uri in outputs.items():
            if letters is not None and isinstance(uri, str) and _is_file(uri, letters):
                raise UsageError(
                    f"the output {output} and the dead letters are one file: {letters}",
                    hint="give each a file of its own",
                )
        for name in names:
            if letters is not None and self.reads(name, letters):
                raise UsageError(
                    f"the dead letters would go to the file of the input {name}: {letters}",
                    hint="--set dead_letters=ANOTHER",
                )
            for output, uri in outputs.items():
                if isinstance(uri, str) and self.reads(name, uri):
                    raise UsageError(
                        f"the output {output} would overwrite the input {name}: {uri}",
                        hint="write to another file",
                    )

    def shapes(self) -> dict[str, Shape]:
        """Return what is known of each input's columns."""
        return {name: given.shape for name, given in self._inputs.items()}

    def references(self) -> frozenset[str]:
        """Return the names of reference data."""
        return frozenset(name for name, given in self._inputs.items() if given.versions is not None)

    def timestamps(self) -> dict[str, str]:
        """Return the default time column of the inputs that have one."""
        return {n: g.timestamp for n, g in self._inputs.items() if g.timestamp is not None}

    def describe(self) -> dict[str, str]:
        """Return where each input comes from, in words a person would use."""
        return {name: given.uri or "registered data" for name, given in self._inputs.items()}

    def sample(self, name: str) -> Rows | None:
        """Return the first events of an input; None where reading would take them away.

        Raises InputError, and UsageError for an unknown name.
        """
        known = find(name, self._inputs)
        if known is None:
            hint = suggest(name, self._inputs) or "there is " + (", ".join(self._inputs) or "none")
            raise UsageError(f"no input {name}", hint=hint)
        given = self._inputs[known]
        if given.live or given.uri is None:
            return None
        versions = given.versions or OneVersion(given.make())
        for version in reversed(versions.now()):
            for block in version.blocks():
                if len(block.rows):
                    return block.rows
        return ColumnRows({}, 0)

    def count(self, name: str) -> int:
        """Return how many events an input has. Raises InputError."""
        return max((last_event(block) for block in self._blocks(name)), default=0)

    def event(self, name: str, number: int) -> tuple[str | None, str | None]:
        """Return an event as JSON, and what makes it malformed: one of the two is None.

        Raises UsageError when the input has fewer events.
        """
        last = 0
        for block in self._blocks(name):
            at = np.flatnonzero(block.events == number)
            if len(at):
                return block.rows.take(at).record().to_json(marked=False)[0].as_py(), None
            for bad in block.bad:
                if bad.event == number:
                    return None, f"{bad.reason}: {bad.text.decode(errors='replace')}"
            last = max(last, last_event(block))
        raise UsageError(f"{name} has {last:,} events, and number {number:,} is asked for")

    def _blocks(self, name: str) -> Iterator[Decoded]:
        reading = Reading(self._inputs[name].make())
        try:
            while (blocks := reading.read()) is not None:
                yield from blocks
        finally:
            reading.close()

    def live(self) -> frozenset[str]:
        """Return the names of the inputs whose events come as they happen."""
        return frozenset(name for name, given in self._inputs.items() if given.live)

    def opener(self, name: str, without: Any = None) -> Callable[[Position | None], Reading]:
        """Return what opens the input's events at a position, or from their start.

        Events whose numbers are in `without` are left out.
        """
        if without is None:
            return lambda position: Reading(self._inputs[name].make(), position)
        return lambda position: ReadingWithout(self._inputs[name].make(), without, position)


def _is_file(uri: str, path: str) -> bool:
    """Tell whether a URI is that of a file at this path."""
    found = parse_uri(uri)
    return found.scheme == "file" and os.path.realpath(found.path) == os.path.realpath(path)


def _of_uri(uri: str, settings: Settings, warn: Callable[[str], None]) -> Input:
    strict = settings.input_errors == "fail"
    following = Following(settings.poll_interval, settings.follow_quiet, strict, warn)
    size, longest = settings.batch_bytes, settings.max_event_bytes
    deepest = settings.max_depth
    source = open_source(uri, None, size, settings.follow, following, longest, deepest)
    return Input(lambda: source, uri=uri, live=source.live)


def input_of(source: Any, settings: Settings, warn: Callable[[str], None]) -> Input:
    """Return the input for data or a path given in Python. Raises UsageError for other things."""
    if isinstance(source, str | Path):
        return _of_uri(str(source), settings, warn)
    if isinstance(source, Source):
        return Input(lambda: source, live=source.live)
    made = MemorySource(source)
    return Input(lambda: made, _shape_of(source))


def _reference_of(given: Any, settings: Settings) -> Input:
    if isinstance(given, str | Path):
        versions = versions_of(str(given), settings.batch_bytes, settings.max_depth)
        return Input(_no_stream, uri=str(given), versions=versions)
    data = list(given) if isinstance(given, Iterator) else given  # several jobs may read it
    return Input(_no_stream, _shape_of(given), versions=OneVersion(MemorySource(data)))


def _no_stream() -> Source:
    raise InternalError("reference data are not read as a stream")


def _shape_of(data: Any) -> Shape:
    """Return the columns of a table; of rows and iterators nothing is known beforehand."""
    if type(data).__module__.partition(".")[0] == "pandas":
        schema = pa.Schema.from_pandas(data, preserve_index=False)
    elif isinstance(getattr(data, "schema", None), pa.Schema):
        schema = data.schema
    else:
        return Shape()
    columns = rows_from_arrow(pa.RecordBatch.from_pylist([], schema)).columns
    kinds = {name: column.type for name, column in columns.items()}
    return Shape(kinds, tuple(kinds))
