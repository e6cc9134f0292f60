"""The cases of a test: what runs, over which data, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..projects.project import Project
from .compare import Comparer


@dataclass(frozen=True)
class Expected:
    """The file with the rows of an output; without `required` they are not compared."""

    path: Path
    required: bool = True


@dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
        name: what `-k` looks at and reports show.
        place: the folder or file that holds the case.
        script: the text of the query.
        script_file: where that text was read.
        inputs: the URI of each stream input.
        references: the URI of each input of reference data.
        expected: the rows that outputs must receive, by output.
        new_files: the folder for rows of outputs that have no file; None: there is none.
        project: the project the query is of; it has the functions that the case has not.
        folders: folders of JavaScript functions.
        functions: further functions by alias, as in `--function ALIAS=SPEC`.
        settings: settings of the job by name, and of functions as `ALIAS.NAME`.
        expect_error: `compile` or `runtime` where the query must fail.
    """

    name: str
    place: Path
    script: str
    script_file: Path
    inputs: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, Expected] = field(default_factory=dict)
    new_files: Path | None = None
    project: Project | None = None
    folders: tuple[Path, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    comparer: Comparer = field(default_factory=Comparer)
    expect_error: str | None = None
