"""Functions and aggregates named on the command line: `module:function`, `file.py:function`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ... import units
from ...errors import UsageError, suggest
from ...functions.aggregate import AggregateSpec
from ...on_error import policy_text
from ...projects.files import missing
from ..diversion import stdout_to_stderr
from .aggregate import python_aggregate
from .calls import CONCURRENCY, shown
from .function import PythonFunction
from .table import PythonTableFunction

_NUMBERS = itertools.count(1)
_SETTINGS: dict[str, units.Reader] = {
    "kind": units.word("function", "table"),
    "vectorized": units.flag,
    "volatile": units.flag,
    "concurrency": units.count(1, 100_000),
    "columns": units.name,
    "on_error": policy_text,
}


def load_python(
    alias: str, spec: str, given: Mapping[str, str]
) -> PythonFunction | PythonTableFunction | AggregateSpec:
    """Return what `MODULE:NAME` or `FILE.py:NAME` names, as `alias`.

    A class is an aggregate, a generator (or anything with `kind=table`) a table function. What it
    prints goes to standard error. Raises UsageError with the place of what went wrong.

    Args:
        alias: its name in queries.
        spec: where it is; modules are looked for in the current folder first.
        given: settings as text: kind, vectorized, volatile, concurrency, columns, and
            on_error, which the catalog minds.
    """
    place, _, name = spec.rpartition(":")
    settings = _settings(alias, given)
    module = _loaded(alias, place)
    found = getattr(module, name, None)
    if found is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        own = [
            key for key in known if getattr(vars(module)[key], "__module__", "") == module.__name__
        ]
        listed = f"there is {', '.join(own[:8])}" if own else "it defines no function"
        raise UsageError(
            f"{place} has no {name}, which is to be udf.{alias}",
            hint=suggest(name, known) or listed,
        )
    if not callable(found):
        raise UsageError(f"{place}: {name} is no function, it is a {type(found).__name__}")
    if isinstance(found, type) and hasattr(found, "accumulate"):
        _only(alias, settings, ("on_error",), "an aggregate")
        return python_aggregate(alias, found, divert=True)
    concurrency = settings.get("concurrency", CONCURRENCY)
    if settings.get("kind") == "table" or inspect.isgeneratorfunction(found):
        _only(alias, settings, ("kind", "columns", "concurrency", "on_error"), "a table function")
        columns = (
            [c.strip() for c in settings["columns"].split(",")] if "columns" in settings else None
        )
        return PythonTableFunction(
            alias, found, columns=columns, concurrency=concurrency, divert=True
        )
    known_settings = ("kind", "vectorized", "volatile", "concurrency", "on_error")
    _only(alias, settings, known_settings, "a function")
    return PythonFunction(
        alias,
        found,
        vectorized=settings.get("vectorized", False),
        volatile=settings.get("volatile", False),
        concurrency=concurrency,
        divert=True,
    )


def _settings(alias: str, given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        read = _SETTINGS.get(key)
        if read is None:
            hint = suggest(key, _SETTINGS) or f"there is {', '.join(sorted(_SETTINGS))}"
            raise UsageError(f"{alias} has no setting {key!r}", hint=hint)
        try:
            found[key] = read(value)
        except ValueError as error:
            raise UsageError(f"{alias}.{key} takes {error}, found {value!r}") from None
    return found


def _only(alias: str, settings: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for key in settings:
        if key not in known:
            raise UsageError(
                f"{alias}.{key} is no setting of {what}, which {alias} is",
                hint=suggest(key, known) or f"there is {', '.join(known)}",
            )


def _loaded(alias: str, place: str) -> ModuleType:
    """Return the module of a name or a file, run."""
    try:
        with stdout_to_stderr():
            return _from_file(Path(place)) if place.endswith(".py") else _imported(place)
    except FileNotFoundError as error:
        if place.endswith(".py") and not Path(place).is_file():
            raise missing(place, f"udf.{alias}: ") from None
        raise _broken(alias, place, error) from error
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            raise UsageError(
                f"udf.{alias}: there is no module {error.name}",
                hint="modules are looked for in the current folder and where Python finds others",
            ) from None
        raise _broken(alias, place, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(alias, place, error) from error


def _imported(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def _from_file(path: Path) -> ModuleType:
    # a name of its own: two files of one name must not meet in sys.modules
    name = f"_streamql_python_{next(_NUMBERS)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # it stays: a function may import when it is called
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _broken(alias: str, place: str, error: BaseException) -> UsageError:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    where = f"at {shown(frames[-1].filename)}, line {frames[-1].lineno}" if frames else None
    if isinstance(error, SyntaxError):
        where = f"at {shown(error.filename or place)}, line {error.lineno}"
    elif frames:
        own = [f for f in frames if f.filename.endswith(place)]
        at = (own or frames)[-1]
        where = f"at {shown(at.filename)}, line {at.lineno}"
    return UsageError(
        f"udf.{alias}: {place} cannot be loaded: {type(error).__name__}: {said}", hint=where
    )
