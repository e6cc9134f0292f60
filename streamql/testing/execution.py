"""How a case is run, and whether it did what it must."""

from __future__ import annotations

import itertools
import random
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ..connectors.filesink import file_in_directory, file_of
from ..engine import Engine
from ..errors import CompileError, RunError, StreamqlError
from ..settings import Settings
from .cases import Case, Expected
from .compare import Difference, Row
from .rows import RowFile

Batches = Literal["all", "one", "random", "restart"]
BATCHES: tuple[Batches, ...] = ("all", "one", "random", "restart")
_KINDS = {"compile": CompileError, "runtime": RunError}


@dataclass(frozen=True)
class Overrides:
    """What the command line says of all cases: it wins over what they say themselves."""

    functions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def refuse_misfit(self) -> None:
        """Raise what is wrong with them whatever the cases are: UsageError, CompileError."""
        with Engine(Settings.load(flags=self.settings)) as engine:
            for alias, spec in self.functions.items():
                engine.function_from(alias, spec)


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        rows: what came out, by output.
        differences: in what outputs are not as expected.
        unexpected: outputs that nothing is expected of.
        error: what the query failed with, though it must not.
        wanted_error: the kind of error that did not come.
        seconds: how long it took.
        warnings: what was said while it ran, each sentence once.
    """

    case: Case
    batches: Batches
    rows: Mapping[str, list[Row]] = field(default_factory=dict)
    differences: Mapping[str, Difference] = field(default_factory=dict)
    unexpected: tuple[str, ...] = ()
    error: StreamqlError | None = None
    wanted_error: str | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the case, with how its events came where that is not as always."""
        return self.case.name if self.batches == "all" else f"{self.case.name} [{self.batches}]"

    @property
    def passed(self) -> bool:
        """Whether the case did what it must."""
        wrong = self.differences or self.unexpected or self.wanted_error
        return not wrong and self.error is None


def batch_sizes(name: str, batches: Batches) -> Iterator[int] | None:
    """Return how many events each next batch takes; None for as many as there are.

    With `restart` they come one by one, and every operator is replaced between any two by a new
    one that has nothing but the snapshot of the old one. Random sizes depend on the case's name
    alone, so that a failure repeats.
    """
    if batches == "all":
        return None
    if batches in ("one", "restart"):
        return itertools.repeat(1)
    rng = random.Random(zlib.crc32(name.encode()))
    return iter(lambda: rng.randint(1, 4), 0)


def run_case(case: Case, batches: Batches = "all", overrides: Overrides | None = None) -> Outcome:
    """Run a case and compare what came out with what must.

    Whatever goes wrong is in the outcome; files of expected rows that do not fit raise UsageError.
    """
    told: list[str] = []
    began = time.monotonic()
    rows, error = _run(case, batches, overrides or Overrides(), told.append)
    outcome = _judged(case, batches, rows, error, time.monotonic() - began)
    return replace(outcome, warnings=tuple(dict.fromkeys(told)))


def _judged(
    case: Case,
    batches: Batches,
    rows: dict[str, list[Row]],
    error: StreamqlError | None,
    seconds: float,
) -> Outcome:
    if case.expect_error is not None:
        wanted = _KINDS[case.expect_error]
        if error is None:
            return Outcome(case, batches, rows, wanted_error=case.expect_error, seconds=seconds)
        if isinstance(error, wanted):
            return Outcome(case, batches, seconds=seconds)
        return Outcome(case, batches, error=error, wanted_error=case.expect_error, seconds=seconds)
    if error is not None:
        return Outcome(case, batches, error=error, seconds=seconds)
    differences, unexpected = _compared(case, rows)
    return Outcome(case, batches, rows, differences, unexpected, seconds=seconds)


def _run(
    case: Case, batches: Batches, overrides: Overrides, warn: Callable[[str], None]
) -> tuple[dict[str, list[Row]], StreamqlError | None]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        try:
            file = None if case.project is None else case.project.settings_file
            given = {**_texts(case.settings), **overrides.settings}
            settings = Settings.load(file, flags=given)
            with Engine(settings) as engine:
                engine.on_warning = warn
                engine.cut = batch_sizes(case.name, batches)
                engine.restart = batches == "restart"
                _equip(engine, case, overrides)
                job = engine.job(case.script, output_dir=str(folder))
                job.run()
        except StreamqlError as error:
            return {}, error
        # rows are compared as they are written: a row that would be written wrong is wrong
        files = {name: file_in_directory(made, name) for name in job.plan.outputs}
        return {name: _written(Path(file)) for name, file in files.items()}, None


def _equip(engine: Engine, case: Case, overrides: Overrides) -> None:
    functions = {**case.functions, **overrides.functions}
    if case.project is not None:
        case.project.add_functions(engine, functions)
    for name, uri in case.inputs.items():
        engine.register_uri(name, uri)
    for name, uri in case.references.items():
        engine.register_reference_uri(name, uri)
    for folder in case.folders:
        engine.functions_from(folder)
    for alias, spec in functions.items():
        engine.function_from(alias, spec)


def _written(path: Path) -> list[Row]:
    return list(RowFile.read(path).rows) if path.exists() else []


def _texts(settings: Mapping[str, object]) -> dict[str, str]:
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in settings.items()}


def _compared(
    case: Case, rows: Mapping[str, list[Row]]
) -> tuple[dict[str, Difference], tuple[str, ...]]:
    differences = {}
    named = {name.lower(): name for name in rows}
    for name, expected in case.expected.items():
        if expected.required:
            wanted = RowFile.read(expected.path).rows
            found = case.comparer.difference(rows.get(named.get(name.lower(), ""), []), wanted)
            if found is not None:
                differences[name] = found
    known = {name.lower() for name in case.expected}
    # Azure makes no file for an output without rows, and so has none to expect
    strict = case.new_files is not None
    strange = [n for n, r in sorted(rows.items()) if n.lower() not in known and (r or strict)]
    return differences, tuple(strange)


def update(outcome: Outcome) -> tuple[Case, list[Path]]:
    """Write what came out into the files of expected rows.

    Returns the case as it is now, and the files that have changed. Rows that are as expected keep
    their text, files that are right are left alone, and the files of outputs that the query does
    not have are deleted.
    """
    case = outcome.case
    expected, changed = dict(case.expected), []
    named = {name.lower(): name for name in outcome.rows}
    if outcome.error is not None or outcome.wanted_error is not None:
        return case, []
    for name in outcome.differences:
        path, own = expected[name].path, named.get(name.lower())
        if not path.is_file():
            continue  # /dev/null: there are to be no rows
        if own is not None:
            RowFile.read(path).updated(outcome.rows[own], case.comparer).write(path)
        elif case.new_files is None:
            RowFile.read(path).updated([], case.comparer).write(path)
        else:
            path.unlink()
            del expected[name]
        changed.append(path)
    for name in outcome.unexpected:
        if case.new_files is not None:
            path = case.new_files / file_of(name)
            RowFile().updated(outcome.rows[name], case.comparer).write(path)
            expected[name] = Expected(path)
            changed.append(path)
    return replace(case, expected=expected), changed
