"""The user functions of an engine, by alias, and how each kind is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import on_error
from ..errors import StreamqlError, UsageError, suggest
from ..functions.aggregate import AggregateSpec
from ..functions.registry import Function
from ..functions.table import TableFunction
from ..on_error import OnError, Policy
from ..projects.files import read_text
from ..settings import Settings
from . import fingerprint
from .call_files import CallFiles
from .dead_letters import DeadLetters
from .forgiving import DroppingFunction, ForgivingFunction

if TYPE_CHECKING:
    from .forgiving_aggregate import Tally
    from .javascript import Runtimes, SourceFile
    from .scoring import ModelFunction, ScoringLoop
    from .scoring.stats import ScoringStats


MadeOf = str | Callable[[], str]
"""A fingerprint, or what gives it when a job with checkpoints asks: models may be large."""


class Functions:
    """Collects functions; V8 and the HTTP client are made when the first one needs them."""

    def __init__(self, settings: Settings, on_warning: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_warning = on_warning
        self._functions: dict[str, Function] = {}
        self._aggregates: dict[str, AggregateSpec] = {}
        self._javascript: Runtimes | None = None
        self._loop: ScoringLoop | None = None
        self._dead_letters: DeadLetters | None = None
        self._calls = CallFiles(settings.record_calls, settings.replay_calls)
        self._made_of: dict[str, MadeOf] = {}
        self.report: Callable[[StreamqlError], None] | None = None
        """For tools that want all mistakes: is told of a function that cannot be made, and calls of
        it are let pass."""
        self._tallies: dict[str, Tally] = {}

    def made_of(self) -> dict[str, str]:
        """Return the fingerprint of each function and aggregate by its lower-case alias."""
        return {
            alias: fingerprint.with_settings(
                made if isinstance(made, str) else made(), self._said(alias)
            )
            for alias, made in self._made_of.items()
        }

    def by_alias(self) -> dict[str, Function]:
        """Return the functions by their lower-case alias. Raises UsageError for stray settings."""
        for alias in self._settings.functions:
            if alias.lower() not in self._functions and alias.lower() not in self._aggregates:
                key = next(iter(self._settings.functions[alias]), "...")
                near = suggest(alias, (*self._functions, *self._aggregates))
                raise UsageError(
                    f"{alias}.{key} is set, and there is no function {alias}",
                    hint=near or f"give it with --function {alias}=SPEC",
                )
        return dict(self._functions)

    def aggregates(self) -> dict[str, AggregateSpec]:
        """Return the user aggregates by their lower-case alias."""
        return dict(self._aggregates)

    def add(self, function: Function, made_of: MadeOf | None = None) -> None:
        """Add a function; a later function or aggregate of the same alias wins.

        `made_of` is its fingerprint, or gives it; without it, that of its class.
        """
        made = made_of or fingerprint.of_python(type(function))
        self._made_of[function.name.lower()] = made
        self._functions[function.name.lower()] = self._forgiving(function)
        self._aggregates.pop(function.name.lower(), None)

    def add_aggregate(self, alias: str, spec: AggregateSpec, made_of: MadeOf) -> None:
        """Add `uda.alias`; a later function or aggregate of the same alias wins."""
        policy = self._policy(alias)
        if policy.drops and "on_error" in self._set_for(alias):
            raise UsageError(
                f"{alias}.on_error={policy.action.value} would drop a row, and the value of an "
                "aggregate is made of many",
                hint="on_error = fail, null or default: VALUE",
            )
        if policy.action is not OnError.FAIL:
            from .forgiving_aggregate import Tally, forgiving

            self._tallies[alias.lower()] = tally = Tally()
            spec = forgiving(spec, policy, tally)
        self._made_of[alias.lower()] = made_of
        self._aggregates[alias.lower()] = spec
        self._functions.pop(alias.lower(), None)

    def unmade(self, aliases: Iterable[str], error: StreamqlError) -> None:
        """Report functions that cannot be made. Raises the error where nobody wants to know."""
        if self.report is None:
            raise error
        from .unmade import UnmadeFunction

        self.report(error)
        for alias in aliases:
            self.add(UnmadeFunction(alias))

    @contextmanager
    def _making(self, alias: str) -> Iterator[None]:
        try:
            yield
        except StreamqlError as error:
            self.unmade([alias], error)

    def add_python(self, alias: str, spec: str) -> None:
        """Add what MODULE:NAME or FILE.py:NAME names. Raises UsageError if it does not load."""
        from .python import load_python

        made = load_python(alias, spec, self._set_for(alias))
        place = spec.rpartition(":")[0]
        of = fingerprint.of_file if place.endswith(".py") else fingerprint.of_module
        made_of = partial(of, f"python {spec}", place)
        if isinstance(made, AggregateSpec):
            self.add_aggregate(alias, made, made_of)
        else:
            self.add(made, made_of)

    def add_javascript(
        self, alias: str, source: str, file: str, library: Sequence[SourceFile] = ()
    ) -> None:
        """Add `udf.alias`, or `uda.alias` if the text is that of an aggregate; files of helpers
        run before it. Raises CompileError with the script's line."""
        with self._making(alias):
            self._add_javascript(alias, source, file, library)

    def _add_javascript(
        self, alias: str, source: str, file: str, library: Sequence[SourceFile]
    ) -> None:
        from .javascript import Runtimes, is_aggregate, load_aggregate, load_function

        if self._javascript is None:
            self._javascript = Runtimes(self._settings)
        runtime = self._javascript.get(alias, self._set_for(alias))
        texts = [source, *(helper.text for helper in library)]
        made_of = fingerprint.of_texts("javascript", texts)
        if is_aggregate(runtime, alias, source, file, library):
            self.add_aggregate(
                alias, load_aggregate(runtime, alias, source, file, library), made_of
            )
        else:
            self.add(load_function(alias, source, file, runtime, library=library), made_of)

    def add_model(self, alias: str, spec: str, given: dict[str, str]) -> None:
        """Add a scoring function behind a URL, in a score.py or in a model.onnx."""
        with self._making(alias):
            self._add_model(alias, spec, given)

    def _add_model(self, alias: str, spec: str, given: dict[str, str]) -> None:
        from .scoring import ScoringLoop, model_function, refuse_host

        if self._loop is None:
            self._loop = ScoringLoop()
        settings = {**given, **self._set_for(alias)}
        if self._settings.function_errors != "fail":
            settings.setdefault("on_error", self._settings.function_errors)
        for url in (spec, settings.get("signature", "")):
            if self._settings.allowed_hosts is not None and "://" in url:
                refuse_host(alias, url, self._settings.allowed_hosts)
        made = model_function(alias, spec, settings, self._loop, self._calls.replayed())
        made.recorder = self._calls.recorder()
        made.on_warning = self._on_warning
        if (letters := self.letters()) is not None:
            made.on_dead_letter = lambda letter: letters.put({"kind": "function", **letter})
        self.add(made, lambda: fingerprint.with_settings(fingerprint.of_model(spec), given))

    def add_spec(self, alias: str, spec: str) -> None:
        """Add what `--function ALIAS=SPEC` names: a script, a model, a URL or a Python object."""
        with self._making(alias):
            self._add_spec(alias, spec)

    def _add_spec(self, alias: str, spec: str) -> None:
        from .python.specs import is_python

        if spec.startswith(("http://", "https://")) or spec.endswith((".py", ".onnx")):
            self.add_model(alias, spec, {})
        elif is_python(spec):
            self.add_python(alias, spec)
        elif spec.endswith(".js"):
            self.add_javascript(alias, read_text(Path(spec), f"udf.{alias}: "), spec)
        elif spec.lower().endswith((".cs", ".dll", ".csproj")):
            raise UsageError(
                f"udf.{alias}: functions in C# need .NET, and do not run here",
                hint="write it in JavaScript (FILE.js) or Python",
            )
        else:
            raise UsageError(
                f"cannot make udf.{alias} from {spec}",
                hint="a function is a .js file, a score.py, a model.onnx, an http(s) URL, or "
                "MODULE:FUNCTION or FILE.py:FUNCTION in Python",
            )

    def add_directory(self, directory: Path) -> None:
        """Add each ALIAS.js of a folder as `udf.ALIAS` or `uda.ALIAS`. Files that begin with `_`
        are no functions: what they declare is there for all of the folder, in order of names."""
        if not directory.is_dir():
            raise UsageError(
                f"no folder {directory}", hint="--functions takes a folder of .js files"
            )
        from .javascript import SourceFile

        files = sorted(directory.glob("*.js"))
        library = [SourceFile(str(f), read_text(f)) for f in files if f.name.startswith("_")]
        for file in files:
            if not file.name.startswith("_"):
                self.add_javascript(file.stem, read_text(file), str(file), library)

    def remember_answers(self) -> None:
        """Have models that are asked over HTTP asked once only for equal rows."""
        for model in self._models():
            if model.settings.cache is None:
                from .scoring.options import CacheSize

                model.settings = replace(model.settings, cache=CacheSize(1_000_000, None))

    def stats(self) -> dict[str, ScoringStats]:
        """Return the counters of the scoring functions, by their names."""
        return {f.name: f.stats for f in self._models()}

    def observe(self, on_request: Callable[[str, int, float, str, int], None]) -> None:
        """Have each request to a model told: function, rows, seconds, what came of it, attempt."""
        for function in self._models():
            function.observe(partial(on_request, function.name))

    def _models(self) -> list[ModelFunction]:
        if self._loop is None:
            return []  # without a model nothing of scoring is loaded
        from .scoring import ModelFunction

        return [f for f in self._functions.values() if isinstance(f, ModelFunction)]

    def failed_calls(self, before: Mapping[str, int] | None = None) -> dict[str, int]:
        """Return how many calls of each JavaScript or Python function failed, by its name (that of
        an aggregate begins with uda.), and `on_error` decided about; with those `before`, only
        since then, and only where any did."""
        now = {f.name: f.failed for f in self._functions.values() if hasattr(f, "failed")}
        now |= {f"uda.{alias}": tally.failed for alias, tally in self._tallies.items()}
        if before is None:
            return now
        return {name: n - before.get(name, 0) for name, n in now.items() if n > before.get(name, 0)}

    def letters(self) -> DeadLetters | None:
        """Return what takes the record of an event or row that is given up; None without a file."""
        if self._settings.dead_letters is None:
            return None
        if self._dead_letters is None:
            self._dead_letters = DeadLetters(Path(self._settings.dead_letters))
        return self._dead_letters

    def close(self) -> None:
        """Let go of V8, of the connections and of the files of calls and dead letters."""
        for function in self._functions.values():
            function.close()
        if self._dead_letters is not None:
            self._dead_letters.close()
        self._calls.close()
        if self._javascript is not None:
            self._javascript.close()
        if self._loop is not None:
            self._loop.close()

    def _forgiving(self, function: Function) -> Function:
        """Return what is called in place of a function, as its `on_error` or the job's says."""
        if function.remote or hasattr(function, "settings"):
            return function  # models have an on_error that is their own
        policy = self._policy(function.name)
        if policy.action is OnError.FAIL:
            return function
        letters = self.letters()
        if policy.action is OnError.DEAD_LETTER and letters is None:
            raise UsageError(
                f"{function.name}.on_error=dead_letter needs a place for the dead letters",
                hint="--set dead_letters=FILE, or on_error = fail, null, default: VALUE or skip",
            )
        put = letters.put if letters is not None else None
        if isinstance(function, TableFunction):
            from .forgiving_table import ForgivingTable

            return ForgivingTable(function, policy, put)
        if not policy.drops:
            return ForgivingFunction(function, policy)
        return DroppingFunction(function, policy, put)

    def _policy(self, alias: str) -> Policy:
        """Return what happens to the failures of a function. Raises UsageError."""
        said = self._said(alias).get("on_error", "fail")
        try:
            return on_error.policy(said)
        except ValueError as error:
            raise UsageError(f"{alias}.on_error takes {error}, found {said!r}") from None

    def _said(self, alias: str) -> dict[str, str]:
        """Return the settings of a function, `on_error` as the job has it unless it has its own."""
        said = self._set_for(alias)
        if self._settings.function_errors == "fail":
            return said
        return {"on_error": self._settings.function_errors, **said}

    def _set_for(self, alias: str) -> dict[str, str]:
        for name, values in self._settings.functions.items():
            if name.lower() == alias.lower():
                return dict(values)
        return {}
