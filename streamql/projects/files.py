"""Files of a project as other systems write them: backslashes, other letters, byte-order marks."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UsageError, suggest


def find(folder: Path, written: str) -> Path | None:
    """Return the file or folder that a path in a project means; None if there is none.

    Backslashes separate as slashes do, and letters may be of the other case.
    """
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
    found = find(folder, written)
    if found is not None:
        return found
    parent = find(folder, str(PurePosixPath(written.replace("\\", "/")).parent))
    names = [p.name for p in parent.iterdir()] if parent is not None and parent.is_dir() else []
    hint = suggest(PurePosixPath(written.replace("\\", "/")).name, names)
    raise UsageError(f"{said_by} names {written}, which is not there", hint=hint)


def read_text(path: Path) -> str:
    """Return the text of a file without its byte-order mark. Raises UsageError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(f"cannot read {path}: {reason}") from None
    coding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(coding)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start + 1})") from None


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON object, its keys in lower case at the top. Raises UsageError."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: no JSON: {error.msg.lower()}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object")
    return {str(key).lower(): value for key, value in content.items()}
