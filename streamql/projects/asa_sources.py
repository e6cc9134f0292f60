"""Inputs of Azure projects: what stands in for them here, and what they are in the cloud."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import find
from .project import Absent

_SUFFIXES = {
    "csv": (".csv", ".tsv"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet",),
}


@dataclass(frozen=True)
class Source:
    """An input as a file of the project describes it.

    Attributes:
        said_by: the file.
        kind: what it is in the cloud, in words.
        written: the path of local data; None for an input in the cloud.
        format: of the local data, or of the messages in the cloud.
    """

    name: str
    said_by: Path
    kind: str
    reference: bool
    written: str | None = None
    format: str = "json"
    delimiter: str | None = None

    def uri(self, project: Path, cloud: Source | None = None) -> str | None:
        """Return the URI of the local data; None for an input in the cloud, and without its file.

        The path counts from the file that says it, else from the project.
        """
        if self.written is None:
            return None
        found = find(self.said_by.parent, self.written) or find(project, self.written)
        if found is None:
            return None
        return uri_of(found, self.format, cloud.delimiter if cloud is not None else None)

    def absent(self, project: Path) -> Absent:
        """Return what it is where it has no URI."""
        if self.written is None:
            return Absent(self.kind, self.reference)
        said_by = Path(os.path.relpath(self.said_by, project)).as_posix()
        return Absent(f"{said_by} names {self.written}, which is not there", self.reference, True)


def uri_of(path: Path, format_: str, delimiter: str | None = None) -> str:
    """Return the URI of a file of a format, with what its name does not say."""
    stem = path.name.lower().removesuffix(".gz")
    options = []
    if format_ in _SUFFIXES and not stem.endswith(_SUFFIXES[format_]):
        options.append(f"format={format_}")
    if format_ == "csv" and delimiter not in (None, "", ","):
        options.append(f"delimiter={_escaped(str(delimiter))}")
    return f"{path}?{'&'.join(options)}" if options else str(path)


def source_of(path: Path, content: Mapping[str, Any]) -> Source:
    """Return the input that a file describes."""
    layout = content.get("serialization")
    serial = {str(k).lower(): v for k, v in layout.items()} if isinstance(layout, dict) else {}
    reference = is_reference(content.get("type"))
    kind = str(content.get("datasourcetype") or "no local data")
    local = "inputalias" in content
    written = content.get("filepath") if local else None
    return Source(
        name=str(content.get("inputalias") or content.get("name") or path.stem),
        said_by=path,
        kind=f"{kind}, reference data" if reference else kind,
        reference=reference,
        written=written if isinstance(written, str) and written else None,
        format=str(content.get("format") or serial.get("type") or "json").lower(),
        delimiter=serial.get("fielddelimiter"),
    )


def is_reference(kind: Any) -> bool:
    """Tell whether `Type` says reference data."""
    return "reference" in str(kind or "").lower()


def _escaped(delimiter: str) -> str:
    from urllib.parse import quote

    return quote({"tab": "\t", "space": " "}.get(delimiter.lower(), delimiter), safe="")
