"""Files of a project as other systems write them: backslashes, other letters, byte-order marks."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UsageError, suggest


def find(folder: Path, written: str) -> Path | None:
    """Return the file or folder that a path in a project means; None if there is none.

    Backslashes separate as slashes do, and letters may be of the other case.
    """
    try:
        return _found(folder, written)
    except OSError:  # longer than a name can be
        return None


def _found(folder: Path, written: str) -> Path | None:
    text = written.replace("\\", "/")
    if len(text) > 2 and text[1] == ":" and text[0].isalpha():
        return None  # a drive of the machine on which it was written
    here = Path(text)
    if here.is_absolute():
        return here if here.exists() else None
    if (folder / text).exists():
        return folder / text
    found = folder
    for part in PurePosixPath(text).parts:
        if part == "..":
            found = found / part
            continue
        names = (
            [p for p in found.iterdir() if p.name.lower() == part.lower()] if found.is_dir() else []
        )
        if not names:
            return None
        found = names[0]
    return found


def need(folder: Path, written: str, said_by: Path) -> Path:
    """Return the file that `said_by` names. Raises UsageError with the nearest name."""
    return need_all(folder, [written], said_by)[0]


def need_all(folder: Path, written: Iterable[str], said_by: Path) -> list[Path]:
    """Return the files that `said_by` names. Raises UsageError that names all which are missing."""
    found = {text: find(folder, text) for text in written}
    gone = [text for text, path in found.items() if path is None]
    if gone:
        raise absent(folder, gone, said_by)
    return [path for path in found.values() if path is not None]


def absent(folder: Path, gone: Sequence[str], said_by: Path) -> UsageError:
    """Return the error of files that `said_by` names and that are not there."""
    hints = dict.fromkeys(hint for text in gone if (hint := _instead(folder, text)))
    listed = " and ".join(filter(None, (", ".join(gone[:-1]), gone[-1])))
    return UsageError(
        f"{said_by} names {listed}, which {'is' if len(gone) == 1 else 'are'} not there",
        hint=" ".join(hints) or f"paths count from the folder of {said_by.name}",
    )


def _instead(folder: Path, written: str) -> str | None:
    place = PurePosixPath(written.replace("\\", "/"))
    parent = find(folder, str(place.parent))
    names = [p.name for p in parent.iterdir()] if parent is not None and parent.is_dir() else []
    return suggest(place.name, names)


def here(folder: Path, written: str) -> str:
    """Return a path, or a URI, with slashes where it has backslashes and is not there with them."""
    if "\\" not in written or (folder / written).exists():
        return written
    path, mark, options = written.partition("?")
    return path.replace("\\", "/") + mark + options


def near(path: str) -> str | None:
    """Return a hint about what is there instead of a missing file."""
    parent, name = os.path.split(path)
    try:
        there = sorted(entry for entry in os.listdir(parent or ".") if not entry.startswith("."))
    except OSError:
        return f"there is no directory {parent}"
    close = difflib.get_close_matches(name, there, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(os.path.join(parent, entry) for entry in close) + "?"
    if not there:
        return f"the directory {parent or '.'} is empty"
    return f"the directory {parent or '.'} has {', '.join(there[:5])}" + (
        f" and {len(there) - 5:,} more" if len(there) > 5 else ""
    )


class MissingFile(UsageError):
    """A file that a user names is not there."""

    path: str


def missing(path: str | Path, who: str = "") -> MissingFile:
    """Return the error of a file that is not there; `who` begins the message."""
    error = MissingFile(f"{who}there is no file {path}", hint=near(str(path)))
    error.path = str(path)
    return error


def read_bytes(path: Path, who: str = "") -> bytes:
    """Return what is in a file that a user names. Raises UsageError that begins with `who`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise missing(path, who) from None
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(f"{who}cannot read {path}: {reason}") from None


def read_text(path: Path, who: str = "") -> str:
    """Return the text of a file without its byte-order mark. Raises UsageError."""
    raw = read_bytes(path, who)
    coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(coding)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{who}{path} is not UTF-8 text (byte {error.start + 1})", hint="save it as UTF-8"
        ) from None


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object, its keys in lower case at the top. Raises UsageError."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: no JSON: {error.msg.lower()}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object")
    return {str(key).lower(): value for key, value in content.items()}
