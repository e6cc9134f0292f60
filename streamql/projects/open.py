"""Which project a path means."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from .asa import SCRIPT_SUFFIX, read_asa_project, scripts_in
from .project import Project
from .toml import NAME, read_toml_project

_MANIFEST = "asaproj.json"


def open_project(text: str) -> Project | None:
    """Return the project of a folder or of a project's file; None for anything else.

    A folder is searched for `streamql.toml`, `asaproj.json`, an `.asaproj` and an `.asaql`, in this
    order. Raises UsageError for a folder without any.
    """
    path = Path(text)
    name = path.name.lower()
    if path.is_dir():
        file = project_file(path)
        if file is None:
            raise UsageError(
                f"the folder {text} is no project",
                hint=f"a project has {NAME} or {_MANIFEST}; streamql init {text} makes one",
            )
        return _read(file)
    if path.is_file() and (name == NAME or name.endswith((_MANIFEST, ".asaproj", SCRIPT_SUFFIX))):
        return _read(path)
    return None


def project_file(folder: Path) -> Path | None:
    """Return the file that makes a folder a project; None if it is none. Raises UsageError."""
    own = folder / NAME
    return own if own.is_file() else asa_file(folder)


def asa_file(path: Path) -> Path | None:
    """Return the file of an Azure project, given that or its folder; None if there is none."""
    if not path.is_dir():
        fits = path.name.lower().endswith((_MANIFEST, ".asaproj", SCRIPT_SUFFIX))
        return path if fits and path.is_file() else None
    names = {file.name.lower(): file for file in sorted(path.iterdir()) if file.is_file()}
    if _MANIFEST in names:
        return names[_MANIFEST]
    for suffix in (_MANIFEST, ".asaproj"):
        found = [file for name, file in names.items() if name.endswith(suffix)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(file.name for file in found)
            raise UsageError(f"{path} has several projects: {listed}", hint="name the file")
    scripts = scripts_in(path)
    return scripts[0] if len(scripts) == 1 else None


def enclosing_project(folder: Path) -> Project | None:
    """Return the project of the nearest folder that is one, from `folder` up; None without any.

    A `streamql.toml` that names no query only holds settings.
    """
    for here in (folder.resolve(), *folder.resolve().parents):
        file = project_file(here) if here.is_dir() else None
        if file is not None and not (file.name.lower() == NAME and not _names_query(file)):
            return _read(file)
    return None


def _names_query(file: Path) -> bool:
    import tomllib

    try:
        return "query" in tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False


def _read(file: Path) -> Project:
    return read_toml_project(file) if file.name.lower() == NAME else read_asa_project(file)
