"""What a test drives: jobs that get their events and their time from the test, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .. import instants, units
from ..backends.stepped import SteppedJob
from ..batch import Batch
from ..bind.script import bind_script, input_names
from ..engine import Engine
from ..errors import FunctionError, UsageError, suggest
from ..optimize.driver import optimize
from ..projects.files import read_text
from ..projects.open import open_project
from ..projects.project import Project
from ..projects.toml import spec_from, uri_from
from ..result import row_dicts
from ..rows import find
from ..settings import Settings
from ..syntax.parser import parse

START = "2024-01-01T00:00:00Z"
"""What time it is when a job starts, unless a test says otherwise."""

Row = dict[str, Any]
Answers = Callable[[Any], Any] | Mapping[Any, Any] | Iterable[tuple[Any, Any]]


class Bench:
    """Makes jobs, and models for them that answer what a test says. Closes them at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._models: dict[str, Callable[[Any], Any]] = {}
        self._jobs: list[BenchJob] = []

    def model(self, alias: str, answers: Answers) -> None:
        """Let `udf.alias` be a function of the row, or a table of rows and their answers.

        The table is a dict, or pairs where rows are lists or dicts. It holds for jobs made later.
        """
        self._models[alias] = answers if callable(answers) else _looked_up(alias, answers)

    def job(
        self,
        query: str | Path,
        *,
        functions: Mapping[str, str | Callable[..., Any]] | str | Path | None = None,
        references: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        now: str = START,
    ) -> BenchJob:
        """Compile a query and start it.

        Args:
            query: the text, the file of a query, or a project.
            functions: a folder of JavaScript functions, or functions by alias: Python functions,
                or what `--function` takes.
            references: reference data by name: rows, or a file.
            settings: settings of the job.
            now: what time it is.

        Raises CompileError and UsageError.
        """
        script, project = self._read(query)
        job = BenchJob(_instant(now))
        engine = Engine(self._settings(project, settings or {}), now=lambda: job.clock)
        job._engine = engine
        self._jobs.append(job)
        given = functions if isinstance(functions, Mapping) else {}
        if project is not None:
            project.add_functions(engine, {*given, *self._models})
            for name, uri in project.references.items():
                engine.register_reference_uri(name, uri)
        if functions is not None and not isinstance(functions, Mapping):
            engine.functions_from(self._folder / functions)
        for alias, function in {**given, **self._models}.items():
            if callable(function):
                engine.function(function, name=alias)
            else:
                engine.function_from(alias, spec_from(self._folder, function))
        for name, data in (references or {}).items():
            if isinstance(data, str | Path):
                data = uri_from(self._folder, str(data))
            engine.register_reference(name, data)
        job._start(script)
        return job

    def close(self) -> None:
        """Let go of all jobs."""
        for job in self._jobs:
            job.close()
        self._jobs.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, query: str | Path) -> tuple[str, Project | None]:
        text = str(query)
        if isinstance(query, str) and len(text.split()) > 1:
            return text, None
        path = self._folder / text
        if not path.exists():
            raise UsageError(f"no query {path}", hint="files count from the folder of the test")
        project = open_project(str(path))
        return (read_text(path), None) if project is None else (project.script, project)

    def _settings(self, project: Project | None, given: Mapping[str, Any]) -> Settings:
        file = None if project is None else project.settings_file
        base = Settings.load(file, project=None if project is None else project.settings)
        flat = {k: v for k, v in given.items() if "." not in k and k != "functions"}
        functions: dict[str, dict[str, Any]] = {
            k: dict(v) for k, v in given.get("functions", {}).items()
        }
        for key, value in given.items():
            alias, dot, name = key.partition(".")
            if dot:
                functions.setdefault(alias, {})[name] = value
        return Settings.with_overrides(base, {**flat, "functions": functions})


class BenchJob:
    """A job that a test drives.

    Attributes:
        clock: what time it is, in ticks of 100 ns since 1970; events arrive at it.
    """

    def __init__(self, now: int) -> None:
        self.clock = now
        self._begin = now
        self._passed = now
        self._rows: dict[str, list[Row]] = {}
        self._closed = False

    def _start(self, script: str) -> None:
        engine, tree = self._engine, parse(script)
        for name in input_names(tree):
            if not engine.inputs.has(name):
                engine.register(name, [])  # open: it gets its events one by one
        plan = optimize(bind_script(tree, engine.environment()))
        references = {
            name: engine.inputs.reference(name, engine.on_warning, plan.tables.get(name))
            for name in plan.references
        }
        targets = {name: self._target(name) for name in plan.outputs}
        self._stepped = SteppedJob(plan, engine.settings, lambda: self.clock, references, targets)

    def _target(self, name: str) -> _Rows:
        return _Rows(self._rows.setdefault(name, []))

    _engine: Engine

    @property
    def now(self) -> str:
        """What time it is, as ISO 8601."""
        return instants.to_datetime(self.clock).isoformat().replace("+00:00", "Z")

    def send(
        self,
        source: str,
        event: Mapping[str, Any] | None = None,
        *,
        at: str | None = None,
        **fields: Any,
    ) -> None:
        """Let an event arrive at an input, and the job do all it can with it.

        Args:
            source: the name of the input.
            event: its fields; or they are given by name.
            at: when it arrives: an instant, or a time since the start (`00:00:01`, `5s`). Where the
                query takes the time of events from a field, an event without it gets it.

        Without `at` the event arrives at the time in that field, or now. Time does not go back.
        """
        name = self._name(source, self._stepped.readers, "input")
        row = {**(event or {}), **fields}
        path = self._stepped.times[name]
        moment = None if at is None else self._moment(at)
        column = find(path[0], row) or path[0] if path is not None and len(path) == 1 else None
        if moment is None:
            own = row.get(column) if column is not None else None
            read = instants.parse_one(own) if isinstance(own, str) else None
            moment = max(self.clock, read or self.clock, self._passed)
        if column is not None and column not in row:
            row[column] = _iso(moment)
        if moment < self._passed:
            raise UsageError(
                f"an event for {name} at {_iso(moment)} when it is {_iso(self.clock)} already",
                hint="time does not go back: send events in the order of their arrival",
            )
        self._move(moment)
        self._stepped.give(name, [row])

    def advance(self, duration: str) -> None:
        """Let time pass without events: windows end, and what waits for time is put out."""
        self._move(self.clock + units.ticks(duration))
        # the instant itself has passed as well, or a window that ends with it would stay open
        self._passed = self.clock + 1
        self._stepped.advance(self._passed)

    def output(self, name: str) -> list[Row]:
        """Return the rows of an output so far. Raises UsageError for a name that is none."""
        return list(self._rows[self._name(name, self._rows, "output")])

    def end(self) -> None:
        """End all inputs: everything that is open is put out."""
        self._stepped.end()

    def close(self) -> None:
        """Let go of the job. A second call does nothing."""
        if not self._closed:
            self._closed = True
            if hasattr(self, "_stepped"):
                self._stepped.close()
            self._engine.close()

    def _move(self, moment: int) -> None:
        self.clock = max(self.clock, moment)
        self._passed = max(self._passed, moment)
        self._stepped.advance(self._passed)

    def _moment(self, text: str) -> int:
        found = instants.parse_one(text)
        return self._begin + units.ticks(text) if found is None else found

    @staticmethod
    def _name(name: str, known: Mapping[str, Any], kind: str) -> str:
        found = find(name, known)
        if found is None:
            hint = suggest(name, known) or "there is " + ", ".join(known)
            raise UsageError(f"the query has no {kind} {name}", hint=hint)
        return found


class _Rows:
    """An output whose rows are kept."""

    def __init__(self, rows: list[Row]) -> None:
        self._kept = rows
        self.rows = 0

    def put(self, batch: Batch) -> None:
        self._kept += row_dicts(batch)
        self.rows += batch.count

    def finish(self) -> None:
        """Nothing is left to be done."""


def _looked_up(alias: str, answers: Any) -> Callable[[Any], Any]:
    pairs = answers.items() if isinstance(answers, Mapping) else answers
    table = {_key(row): answer for row, answer in pairs}

    def answer(row: Any) -> Any:
        key = _key(row)
        if key not in table:
            known = ", ".join(map(str, list(table)[:5]))
            raise FunctionError(
                f"udf.{alias}: the test has no answer to {key}",
                hint=f"it has one to {known}" if known else None,
            )
        return table[key]

    return answer


def _key(row: Any) -> str:
    return json.dumps(list(row) if isinstance(row, tuple) else row, sort_keys=True, default=str)


def _instant(text: str) -> int:
    found = instants.parse_one(text)
    if found is None:
        raise UsageError(f"now is an instant such as {START}, found {text!r}")
    return found


def _iso(moment: int) -> str:
    return instants.to_datetime(moment).isoformat().replace("+00:00", "Z")
