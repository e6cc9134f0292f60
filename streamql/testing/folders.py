"""Case folders: a query, inputs, expected rows, and what `case.json` says (docs/testing.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ..errors import UsageError
from ..formats.compression import split_suffix
from ..projects.files import read_text
from ..projects.open import enclosing_project
from ..projects.shape import refuse_misfit
from ..projects.toml import spec_from
from .cases import Case, Expected
from .compare import Comparer

CASE_FILE = "case.json"
EXPECTED = "expected"
_QUERY = "query.sql"
_CALLS = "calls.jsonl"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_SCALARS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_TEXT = {"type": "string"}
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "title": _TEXT,
        "area": _TEXT,
        "construct": _TEXTS,
        "doc": _TEXT,
        "why": _TEXT,
        "confidence": _TEXT,
        "query": _TEXT,
        "functions": {"type": "object", "additionalProperties": _TEXT},
        "ordered": {"type": "boolean"},
        "expect_error": {"enum": [None, "compile", "runtime"]},
        "settings": _SCALARS,
        "compare": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "exact_strings": _TEXTS,
                "unordered_arrays": _TEXTS,
                "ignore_columns": _TEXTS,
                "float_rel_tol": {"type": "number", "minimum": 0},
                "float_abs_tol": {"type": "number", "minimum": 0},
            },
        },
    },
}
_RESERVED = {"arrival_field": "$arrival", "metadata_field": "$meta"}


def is_case(folder: Path) -> bool:
    """Tell whether a folder is a case: it has a `case.json` or a folder `expected`."""
    return (folder / CASE_FILE).is_file() or (folder / EXPECTED).is_dir()


def read_case(folder: Path, name: str, tolerance: float | None = None) -> Case:
    """Return the case in a folder. Raises UsageError for files that are missing or do not fit.

    `tolerance` holds for numbers where the case has none of its own.
    """
    facts = _facts(folder)
    script_file = folder / facts.get("query", _QUERY)
    project = None
    if "query" not in facts and not script_file.exists():
        project = enclosing_project(folder)
    settings = {**_RESERVED, **(facts.get("settings") or {})}
    if (folder / _CALLS).is_file():
        settings.setdefault("replay_calls", _CALLS)
    for key in ("replay_calls", "dead_letters"):
        if key in settings:
            settings[key] = str(folder / str(settings[key]))
    expected = {n: Expected(path) for n, path in files(folder / EXPECTED).items()}
    error = facts.get("expect_error")
    functions = folder / "functions"
    return Case(
        name=name,
        place=folder,
        script=read_script(script_file, folder) if project is None else project.script,
        script_file=script_file if project is None else project.script_file,
        project=project,
        inputs={n: str(path) for n, path in files(folder / "inputs").items()},
        references={
            **({} if project is None else project.references),
            **{n: str(path) for n, path in files(folder / "references").items()},
        },
        expected=expected,
        new_files=folder / EXPECTED,
        folders=(functions,) if functions.is_dir() else (),
        functions={a: spec_from(folder, s) for a, s in facts.get("functions", {}).items()},
        settings=settings,
        comparer=comparer_of(facts, tolerance),
        expect_error=error,
    )


def comparer_of(facts: Mapping[str, Any], tolerance: float | None) -> Comparer:
    """Return the comparer that `compare` and `ordered` ask for."""
    wide = {} if tolerance is None else {"float_rel_tol": tolerance, "float_abs_tol": tolerance}
    return Comparer(**{**wide, **(facts.get("compare") or {})}, ordered=facts.get("ordered", False))


def files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by the names of what they hold: `a.b.jsonl.gz` is `a.b`.

    Characters that no file's name can have are written as in `--output-dir`: `a%2Fb.jsonl`.
    """
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue  # hidden files and folders
        name = unquote(Path(split_suffix(path.name)[0]).stem)
        if name in found:
            raise UsageError(
                f"{folder}: {found[name].name} and {path.name} are both {name}",
                hint="keep one of them, or give the other one another name",
            )
        found[name] = path
    return found


def read_script(path: Path, place: Path) -> str:
    """Return the text of a query, without a byte-order mark. Raises UsageError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(
            f"{place}: cannot read the query {path}: {reason}",
            hint=f'put it into {_QUERY}, or name it in {CASE_FILE}: "query": "../../query.sql"',
        ) from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the query {path} is not UTF-8 text (byte {error.start + 1})", hint="save it as UTF-8"
        ) from None


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / CASE_FILE
    if not path.is_file():
        return {}
    try:
        facts: dict[str, Any] = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: no JSON: {error.msg.lower()}") from None
    refuse_misfit(str(path), facts, _SCHEMA)
    return facts
