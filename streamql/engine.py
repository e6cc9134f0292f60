"""The Python API: text in, rows out. `_compile` and `_execute` read as the data flow."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .backends.local import LocalJob, Opened, run_local
from .bind.scope import Environment
from .bind.script import bind_script, input_names
from .catalog import Inputs, input_of
from .connectors.contract import Sink
from .errors import UsageError
from .functions.builtins import BUILTINS
from .functions.registry import Function, Registry
from .optimize.driver import optimize
from .plan.nodes import Job as Plan
from .result import Job, Result
from .runtime.runner import JobStatus
from .runtime.view import JobView, Watching
from .settings import Settings
from .summary import JobSummary
from .syntax.parser import parse
from .udf.catalog import Functions
from .udf.python.specs import function_name

if TYPE_CHECKING:
    from .backends.continued import Checkpointing

Python = Callable[..., Any]


class Engine:
    """Inputs, functions and settings, and the queries run with them.

    An engine holds no global state; several may live side by side, also in threads. Settings are
    given as a `Settings` or by name: `Engine(compatibility_level="1.1")`; `now` tells the time, in
    ticks of 100 ns since 1970. What does not fit raises UsageError, a function in JavaScript that
    cannot be compiled CompileError.
    """

    def __init__(
        self, settings: Settings | None = None, *, now: Python | None = None, **overrides: Any
    ) -> None:
        self.settings = Settings.with_overrides(settings, overrides)
        self.on_warning: Callable[[str], None] = logging.getLogger("streamql").warning
        """Gets a sentence when something needs a person, e.g. a model that does not answer."""
        self.without: Mapping[str, Any] = {}
        """For tools: numbers of events, by input, that are left out."""
        self.cut: Iterator[int] | None = None
        """For tests: yields the size of each next batch."""
        self.restart = False
        """For tests: replaces all operators by new ones with the same state after each batch."""
        self.checkpoint_due: Callable[[], bool] | None = None
        self.reached: Callable[[str], None] | None = None
        """For tests, as the one before: see `runtime.coordinator.Coordinator`."""
        self._now = now or (lambda: time.time_ns() // 100)
        self._inputs = Inputs(self.settings, self._warn)
        self._functions = Functions(self.settings, lambda text: self.on_warning(text))

    # -- inputs -----------------------------------------------------------------------------

    def register(self, name: str, source: Any, *, timestamp: str | None = None) -> None:
        """Make data readable as the input `name`.

        Args:
            name: the name in FROM.
            source: a list of dicts, a pyarrow table, batch or reader, a pandas or polars frame, an
                iterator or async iterator of dicts or tables, or a path or URI.
            timestamp: the column that is the event's time where the query has no TIMESTAMP BY.
        """
        self._inputs.add(name, input_of(source, self.settings, self._warn), timestamp)

    def register_uri(self, name: str, uri: str) -> None:
        """Make a file, folder, pattern or `-` (standard input) readable as the input `name`."""
        self._inputs.add_uri(name, uri)

    def register_reference(self, name: str, data: Any) -> None:
        """Make data known as the reference data `name`, for the right side of a JOIN.

        Args:
            name: the name in JOIN.
            data: as for `register`; a path or URI as in `register_reference_uri`.
        """
        self._inputs.add_reference(name, data)

    def register_reference_uri(self, name: str, uri: str) -> None:
        """Make a file, folder or pattern known as the reference data `name`.

        `ref/{date}/{time}/products.csv` means a file for each time in its path, from which on it is
        valid (UTC; YYYY/MM/DD or YYYY-MM-DD, and HH or HH-mm). Files that change while a job runs
        are read again (`runtime.references`).
        """
        self._inputs.add_reference(name, uri)

    @property
    def inputs(self) -> Inputs:
        """What is registered, by name."""
        return self._inputs

    # -- functions --------------------------------------------------------------------------

    @property
    def functions(self) -> Functions:
        """The user functions, by alias."""
        return self._functions

    def javascript(self, name: str, source: str, file: str | None = None) -> None:
        """Make a JavaScript text callable as `udf.name`, or as `uda.name` if it aggregates."""
        self._functions.add_javascript(name, source, file or f"{name}.js")

    def model(self, name: str, spec: str, **settings: Any) -> None:
        """Make a model callable as `udf.name`: a scoring URL, a `score.py` or a `model.onnx`."""
        self._functions.add_model(name, spec, {k: str(v) for k, v in settings.items()})

    def function(
        self,
        function: Python | None = None,
        *,
        name: str | None = None,
        vectorized: bool = False,
        volatile: bool = False,
        concurrency: int = 100,
    ) -> Any:
        """Make a Python function callable as `udf.NAME`; use as a decorator, with or without ().

        With `vectorized` the function takes and returns Arrow arrays. `volatile` functions are
        called for each use, others once for equal arguments in one batch. An `async def` is called
        for at most `concurrency` rows at a time.
        """
        from .udf.fingerprint import of_python
        from .udf.python import PythonFunction

        def add(python: Python) -> Python:
            alias = function_name(python, name)
            options: dict[str, Any] = {"volatile": volatile, "concurrency": concurrency}
            made = PythonFunction(alias, python, vectorized=vectorized, **options)
            self._functions.add(made, of_python(python))
            return python

        return add if function is None else add(function)

    def table_function(
        self,
        function: Python | None = None,
        *,
        name: str | None = None,
        columns: Sequence[str] | None = None,
        concurrency: int = 100,
    ) -> Any:
        """Make a Python function of one value callable as `CROSS APPLY udf.NAME(x) AS e`.

        It returns, or yields, rows: dicts, named tuples, dataclasses; with the names of `columns`
        also tuples and lists. Use as a decorator, with or without ().
        """
        from .udf.fingerprint import of_python
        from .udf.python import PythonTableFunction

        def add(python: Python) -> Python:
            alias = function_name(python, name)
            made = PythonTableFunction(alias, python, columns=columns, concurrency=concurrency)
            self._functions.add(made, of_python(python))
            return python

        return add if function is None else add(function)

    def aggregate(self, cls: type[Any] | None = None, *, name: str | None = None) -> Any:
        """Make a class callable as `uda.NAME`; use as a decorator, with or without ().

        An instance is the state of a window: `init()`, `accumulate(value)` for each event,
        `result()` at the end; with `merge(other)` windows keep states instead of events.
        """
        from .udf.fingerprint import of_python
        from .udf.python import python_aggregate

        def add(python: type[Any]) -> type[Any]:
            alias = function_name(python, name)
            made = python_aggregate(alias, python)
            self._functions.add_aggregate(alias, made, of_python(python))
            return python

        return add if cls is None else add(cls)

    def add_function(self, function: Function) -> None:
        """Make a function object callable as `udf.NAME`: for kinds of functions of your own."""
        self._functions.add(function)

    def functions_from(self, directory: str | Path) -> None:
        """Make each ALIAS.js of a folder callable as `udf.ALIAS` or `uda.ALIAS`."""
        self._functions.add_directory(Path(directory))

    def function_from(self, alias: str, spec: str) -> None:
        """Make `udf.alias` from a .js file, a score.py, a model.onnx, a scoring URL, or a Python
        object named as MODULE:NAME or FILE.py:NAME."""
        self._functions.add_spec(alias, spec)

    # -- queries ----------------------------------------------------------------------------

    def sql(self, script: str) -> Result:
        """Compile a script and return its rows, to be read one by one or all at once.

        Raises CompileError here, RunError where the rows are read.
        """
        plan = self._compile(script)
        return Result(partial(self._collect, plan), plan.outputs, None, plan.inputs)

    def _collect(
        self, plan: Plan, targets: dict[str, Any], watch: Callable[[JobView], None] | None
    ) -> JobSummary:
        return self._execute(plan, Opened(targets), None, threading.Event(), None, watch)

    def job(
        self,
        script: str,
        *,
        bind_input: str | None = None,
        outputs: Mapping[str, str | Sink] | None = None,
        output_dir: str | None = None,
        default_output: str = "-",
        checkpoint: str | Path | None = None,
        from_start: bool = False,
        allow_changed_functions: bool = False,
    ) -> Job:
        """Compile a script whose rows go to files or standard output.

        Args:
            script: the query.
            bind_input: a URI for the query's only input, given without a name.
            outputs: URI of each output by name, or a sink of your own.
            output_dir: a folder that gets `NAME.jsonl` for each other output.
            default_output: where the remaining outputs go.
            checkpoint: the directory or URI where the job keeps checkpoints, and continues from.
            from_start: do not continue: remove the checkpoints that are there.
            allow_changed_functions: continue although functions have changed.
        """
        if bind_input is not None:
            self.register_only(script, bind_input)
        plan = self._compile(script)
        opened = Opened.of_uris(plan.outputs, outputs or {}, output_dir, default_output)
        self._inputs.refuse_overwritten((*plan.inputs, *plan.references), opened.uris)
        checkpointing = None
        if checkpoint is not None:
            from .backends.continued import checkpointing_at

            made_of = self._functions.made_of()
            checkpointing = checkpointing_at(
                str(checkpoint), script, self.settings, made_of, self._warn
            )
            checkpointing.choose(from_start, allow_changed_functions)
            checkpointing.due, checkpointing.reached = self.checkpoint_due, self.reached
        return Job(partial(self._execute, plan, opened, checkpointing), plan)

    def register_only(self, script: str, uri: str) -> None:
        """Make a URI readable as the only input of a script that is not registered yet.

        Raises UsageError when there are several, or none.
        """
        names = [n for n in input_names(parse(script)) if not self._inputs.has(n)]
        if len(names) != 1:
            left = f"{len(names)} open: {', '.join(names)}" if names else "none left"
            raise UsageError(
                f"--input {uri} names no input, and the query has {left}",
                hint="write --input NAME=" + uri,
            )
        self.register_uri(names[0], uri)

    def environment(self) -> Environment:
        """Return what a script can name: the inputs and functions that are registered."""
        known, functions = self._inputs, self._functions
        registry = Registry(BUILTINS, functions.by_alias(), functions.aggregates())
        level, times = self.settings.compatibility_level, known.timestamps()
        return Environment(known.shapes(), known.references(), registry, level, times)

    def _compile(self, script: str) -> Plan:
        return optimize(bind_script(parse(script), self.environment()))

    def _execute(
        self,
        plan: Plan,
        outputs: Opened,
        checkpointing: Checkpointing | None,
        stopping: threading.Event,
        on_progress: Callable[[JobStatus], None] | None = None,
        watch: Callable[[JobView], None] | None = None,
    ) -> JobSummary:
        readings = {n: self._inputs.opener(n, self.without.get(n)) for n in plan.inputs}
        # a live input's events arrive by the clock, unless they say themselves when they arrived
        by_clock = not self.settings.replay and self.settings.arrival_field is None
        live = self._inputs.live() if by_clock else frozenset()
        clocks = {name: self._now for name in plan.inputs if name in live}
        references = {
            n: self._inputs.reference(n, self._warn, plan.tables.get(n)) for n in plan.references
        }
        job = LocalJob(
            plan,
            readings,
            self.settings,
            self._now(),
            self.cut,
            self.restart,
            clocks,
            references,
            None if watch is None else Watching(watch, self._now, self._functions),
            self._functions.letters(),
            self._warn,
            checkpointing,
            stopping,
        )
        before, failed = self._functions.stats(), self._functions.failed_calls()
        summary = run_local(job, outputs, on_progress)
        scoring = {n: s.since(before[n]) for n, s in self._functions.stats().items()}
        return replace(
            summary,
            requests=sum(s.requests for s in scoring.values()),
            rejected=sum(s.rejected_events for s in scoring.values()),
            failed_calls=self._functions.failed_calls(failed),
            scoring={n: s for n, s in scoring.items() if s.requests or s.cached_events},
        )

    def stop_clock(self) -> None:
        """Let it be now for all jobs from here on: they give the same rows each time."""
        now = self._now()
        self._now = lambda: now

    def _warn(self, text: str) -> None:
        self.on_warning(text)

    # -- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the JavaScript engine and of connections to models."""
        self._functions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
