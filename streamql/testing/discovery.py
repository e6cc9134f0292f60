"""Where the cases are: folders that are one, and those below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UsageError
from .asa import is_asa_tests, read_asa_cases
from .cases import Case
from .folders import is_case, read_case

_SKIPPED = frozenset({"node_modules", "__pycache__"})


def find_cases(paths: Sequence[str], tolerance: float | None = None) -> list[Case]:
    """Return the cases in and below some paths, in order of their names.

    Raises UsageError for a path that is not there or has no case.
    """
    found: list[Case] = []
    for text in paths or (".",):
        path = Path(text)
        if not path.exists():
            raise UsageError(f"no folder {text}", hint="streamql test tests/my-case")
        cases = list(_below(path, tolerance))
        if not cases:
            raise UsageError(
                f"no case in {text}",
                hint="a case is a folder with case.json or expected/OUTPUT.jsonl; testConfig.json "
                "has several",
            )
        found += cases
    return found


def _below(top: Path, tolerance: float | None) -> Iterator[Case]:
    if top.is_file():
        if is_asa_tests(top):
            yield from read_asa_cases(top, tolerance)
        else:  # the file of a project: the tests are beside it
            yield from _below(top.parent, tolerance)
        return
    if is_case(top):
        yield read_case(top, top.resolve().name, tolerance)
        return
    for folder, below, names in os.walk(top):
        below[:] = sorted(n for n in below if not n.startswith(".") and n not in _SKIPPED)
        here = Path(folder)
        if here != top and is_case(here):
            below.clear()
            yield read_case(here, here.relative_to(top).as_posix(), tolerance)
            continue
        for name in sorted(names):
            if is_asa_tests(here / name):
                yield from read_asa_cases(here / name, tolerance)
