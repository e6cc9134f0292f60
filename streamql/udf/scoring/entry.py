"""Azure ML entry scripts: a Python file with init() and run(), called as Azure ML's server does.

An undecorated run() gets the request's body as JSON text. A run() that is decorated with
inference-schema's `@input_schema` gets the members of the body as its parameters, and the
decorators turn them into what the script declared (numpy arrays, data frames).
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson

from ...errors import FunctionError
from ..diversion import stdout_to_stderr

_UNNAMED = "data"
"""The name of the rows where the settings say none."""
_NUMBERS = itertools.count(1)


class ScriptFailed(Exception):
    """run() raised an exception; `place` is the line in the script, where there is one."""

    def __init__(self, said: str, place: str | None) -> None:
        super().__init__(said)
        self.said = said
        self.place = place


class EntryScript:
    """A loaded entry script. `load` runs the file and its init(); then `run` any number of times.

    What the script prints goes to standard error: standard output belongs to the rows.
    """

    def __init__(self, alias: str, path: str) -> None:
        self.path = Path(path)
        self._alias = alias
        self._run: Callable[..., object] | None = None
        self._parameters: list[inspect.Parameter] = []
        self._decorated = False

    def load(self) -> None:
        """Run the file and its init(). Raises FunctionError with the place of what went wrong."""
        if self._run is not None:
            return
        with self._surroundings():
            module = self._module()
            for name in ("init", "run"):
                if not callable(getattr(module, name, None)):
                    raise FunctionError(
                        f"udf.{self._alias}: {self.path} has no function {name}()",
                        hint="an entry script has init(), which loads the model, and run(data)",
                    )
            run = module.run
            driver = getattr(module, "driver_module", None)
            if isinstance(driver, ModuleType) and hasattr(driver, "run"):
                run = driver.run  # as Azure ML's server does: drivers pass decorated calls wrongly
            self._inspect(run)
            try:
                module.init()
            except (Exception, SystemExit) as error:
                raise self._broken("init() failed", error) from error
        self._run = run

    def run(self, body: bytes) -> object:
        """Return what run() makes of a request's body, as JSON values where it can be told.

        Raises ScriptFailed for an exception, FunctionError when run() wants other parameters.
        """
        assert self._run is not None, "the script is not loaded"
        arguments = self._arguments(body)
        with self._surroundings():
            try:
                return plain(self._run(**arguments))
            except (Exception, SystemExit) as error:
                raise ScriptFailed(_said(error), self._place(error)) from error

    def _module(self) -> ModuleType:
        # a name of its own: two scripts called score.py must not meet in sys.modules
        name = f"_streamql_entry_{next(_NUMBERS)}_{self.path.stem}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None or spec.loader is None:
            raise FunctionError(f"udf.{self._alias}: {self.path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise self._broken("cannot be loaded", error) from error
        return module

    def _inspect(self, run: Callable[..., object]) -> None:
        """Find out how run() wants its data, by the rules of Azure ML's server."""
        parameters = list(inspect.signature(run).parameters.values())
        self._parameters = [p for p in parameters if p.name != "request_headers"]
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        if not self._parameters or any(p.kind not in kinds for p in parameters):
            raise FunctionError(
                f"udf.{self._alias}: run() in {self.path} takes "
                f"{inspect.signature(run)}; it must take the data as a named parameter",
                hint="e.g. def run(data):",
            )
        self._headers = len(self._parameters) < len(parameters)
        schemas = sys.modules.get("inference_schema.schema_util")
        self._decorated = schemas is not None and bool(schemas.is_schema_decorated(run))

    def _arguments(self, body: bytes) -> dict[str, Any]:
        headers: dict[str, Any] = {"request_headers": {}} if self._headers else {}
        if not self._decorated:
            return {self._parameters[0].name: body.decode(), **headers}
        members: Mapping[str, Any] = orjson.loads(body)
        needed = [p.name for p in self._parameters if p.default is inspect.Parameter.empty]
        if len(needed) == 1 and list(members) == [_UNNAMED]:
            # nobody said a name: behind a server it would be read from the script's swagger
            members = {needed[0]: members[_UNNAMED]}
        arguments = {}
        for parameter in self._parameters:
            value = members.get(parameter.name, parameter.default)
            if value is inspect.Parameter.empty:
                sent = ", ".join(repr(name) for name in members)
                raise FunctionError(
                    f"udf.{self._alias}: run() in {self.path} has a parameter "
                    f"{parameter.name!r}, the request has {sent}",
                    hint=f"set {self._alias}.parameter={parameter.name}",
                )
            arguments[parameter.name] = value
        return arguments | headers

    @contextlib.contextmanager
    def _surroundings(self) -> Iterator[None]:
        """The script's folder on the import path, its prints on standard error."""
        folder = str(self.path.resolve().parent)
        sys.path.insert(0, folder)
        try:
            with stdout_to_stderr():
                yield
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(folder)

    def _broken(self, what: str, error: BaseException) -> FunctionError:
        place = self._place(error) or str(self.path)
        hint = None
        if isinstance(error, ModuleNotFoundError) and error.name:
            hint = f"install {error.name.partition('.')[0]} into the Python that runs streamql"
        elif what.startswith("init") and "AZUREML_MODEL_DIR" not in os.environ:
            text = self.path.read_text(encoding="utf-8", errors="replace")
            if "AZUREML_MODEL_DIR" in text:
                hint = "the script reads the environment variable AZUREML_MODEL_DIR: set it"
        return FunctionError(f"udf.{self._alias}: {place}: {what}: {_said(error)}", hint=hint)

    def _place(self, error: BaseException) -> str | None:
        """Return `score.py, line 7`: the innermost line of the script in the traceback."""
        own = {str(self.path), os.path.abspath(self.path)}  # Python may know it by either
        if isinstance(error, SyntaxError) and error.filename in own:
            return f"{self.path}, line {error.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename in own:
                return f"{self.path}, line {frame.lineno}"
        return None


def _said(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def plain(value: Any) -> Any:
    """Return a result as JSON values: arrays, series and data frames become lists.

    What is not known stays as it is, and is told as a bad result of its row.
    """
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            simple = set(map(type, value)) <= {int, float, str, bool, type(None)}
            return list(value) if simple else [plain(inner) for inner in value]
        case _:
            pass
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return plain(value.to_dict("records"))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value
