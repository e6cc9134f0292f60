"""Projects on the command line: where QUERY_FILE is a folder or the file of a project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .report import say

if TYPE_CHECKING:
    from ..projects.project import Project
    from .flags import QueryFlags

_FILES = ("asaproj.json", ".asaproj", ".asaql", "streamql.toml")


def opened(text: str | None) -> Project | None:
    """Return the project that QUERY_FILE means; None for a query. Raises UsageError."""
    if text is None or not (text.lower().endswith(_FILES) or os.path.isdir(text)):
        return None
    from ..projects.open import open_project

    return open_project(text)


def found_project(text: str | None) -> Project | None:
    """Return the project that a path means; None also for a folder that is none."""
    if text is not None and os.path.isdir(text):
        from ..projects.open import project_file

        if project_file(Path(text)) is None:
            return None
    return opened(text)


def outputs_of(
    ctx: click.Context,
    project: Project,
    flags: QueryFlags,
    given: dict[str, str],
    telling: bool,
) -> dict[str, str]:
    """Return the URI of each output that has one: flags win over the project.

    With `telling` it says which outputs of the cloud stay here, and what has no effect.
    """
    taken = {name.lower() for name in given}
    if telling:
        for note in project.notes:
            say(f"note: {note}", ctx)
        cloud = {n: k for n, k in project.cloud_outputs.items() if n.lower() not in taken}
        used = [f"{name} ({kind})" for name, kind in cloud.items() if project.uses(name)]
        if used and not flags.outputs and flags.output_dir is None:
            say(f"note: outputs that go to standard output here: {', '.join(used)}", ctx)
    if flags.output_dir is not None or any("=" not in o for o in flags.outputs):
        return given
    own = {name: uri for name, uri in project.outputs.items() if name.lower() not in taken}
    return {**own, **given}
