"""Azure's own test cases: the `testConfig.json` of its tools for build servers.

The script is that of the project around the file, as it is there; `Script` is a remark, and is read
where there is no project. Events are in order of their files, and no time policy applies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..projects.asa_sources import is_reference, uri_of
from ..projects.files import find, need, need_all, read_text
from ..projects.open import enclosing_project
from .cases import Case, Expected
from .folders import comparer_of

_NAME = "testconfig.json"
_NOTHING = "/dev/null"
_INPUTS = ("inputs", "inputalias")


def is_asa_tests(path: Path) -> bool:
    """Tell whether a file holds Azure's test cases."""
    return path.name.lower().endswith(_NAME)


def read_asa_cases(file: Path, tolerance: float | None = None) -> list[Case]:
    """Return the cases of a `testConfig.json`. Raises UsageError for what is missing."""
    content = _lowered(_parsed(file))
    cases = content.get("testcases") if isinstance(content, dict) else None
    if not isinstance(cases, list):
        raise UsageError(
            f"{file} has no list TestCases",
            hint='it begins with {"TestCases": [{"Name": "...", "Inputs": [...]}]}',
        )
    project = enclosing_project(file.parent)
    if project is not None:
        script_file, script = project.script_file, project.script
    else:
        script_file = need(file.parent, str(content.get("script") or ""), file)
        script = read_text(script_file)
    files = [g["filepath"] for c in cases if isinstance(c, dict) for g in _list(file, c, *_INPUTS)]
    need_all(file.parent, files, file)  # all that are missing in one error
    comparer = comparer_of({}, tolerance)
    level = {} if project is None else {k: v for k, v in project.settings.items() if "level" in k}
    found = []
    for place, given in enumerate(cases, 1):
        if not isinstance(given, dict):
            raise UsageError(f"{file}: test case {place} is no object")
        inputs = dict(_inputs(file, given, reference=False))
        references = dict(_inputs(file, given, reference=True))
        found.append(
            Case(
                name=str(given.get("name") or f"case {place}"),
                place=file,
                script=script,
                script_file=script_file,
                project=project,
                inputs=inputs,
                references={**({} if project is None else project.references), **references},
                expected=dict(_expected(file, given)),
                settings=level,
                comparer=comparer,
            )
        )
    return found


def _inputs(file: Path, case: Mapping[str, Any], *, reference: bool) -> Iterator[tuple[str, str]]:
    for given in _list(file, case, *_INPUTS):
        if is_reference(given.get("type")) == reference:
            path = need(file.parent, given["filepath"], file)
            yield given["inputalias"], uri_of(path, str(given.get("format") or "json").lower())


def _expected(file: Path, case: Mapping[str, Any]) -> Iterator[tuple[str, Expected]]:
    for given in _list(file, case, "expectedoutputs", "outputalias"):
        required = given.get("required") is not False
        written = given["filepath"]
        # an output that need not be right needs no file either, and /dev/null means no rows
        path = find(file.parent, written) or file.parent / written.replace("\\", os.sep)
        if written == _NOTHING:
            path = Path(_NOTHING)
        yield given["outputalias"], Expected(path, required)


def _list(file: Path, case: Mapping[str, Any], key: str, alias: str) -> Iterator[dict[str, Any]]:
    listed = case.get(key) or []
    for given in listed if isinstance(listed, list) else [listed]:
        for wanted in (alias, "filepath"):
            if not isinstance(given, dict) or not isinstance(given.get(wanted), str):
                raise UsageError(f"{file}: {case.get('name')}: {key} without {wanted}: {given}")
        yield given


def _parsed(file: Path) -> Any:
    try:
        return json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}: line {error.lineno}: no JSON: {error.msg.lower()}") from None


def _lowered(value: Any) -> Any:
    """Return a value of JSON with the keys of its records in lower case."""
    if isinstance(value, dict):
        return {key.lower(): _lowered(inner) for key, inner in value.items()}
    return [_lowered(inner) for inner in value] if isinstance(value, list) else value
