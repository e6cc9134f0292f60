"""What a project says, whichever files said it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import StreamqlError, UsageError
from .files import MissingFile, absent

CODE = (".js", ".py", ".onnx")
"""What the name of a file with a function ends with."""


@dataclass(frozen=True)
class ScriptFunction:
    """A function in JavaScript: its text, and the file that errors name."""

    source: str
    file: str


@dataclass(frozen=True)
class SpecFunction:
    """A function named as in `--function ALIAS=SPEC`, with its settings."""

    spec: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AbsentFunction:
    """A function that cannot be made from the project alone; `kind` says what it is."""

    kind: str


Function = ScriptFunction | SpecFunction | AbsentFunction


@dataclass(frozen=True)
class Absent:
    """An input without data here: what it is in the cloud, and whether it is reference data; or
    whether the project names data that are `missing`."""

    kind: str
    reference: bool = False
    missing: bool = False


class Functions(Protocol):
    """What an engine says of its functions."""

    def unmade(self, aliases: Iterable[str], error: StreamqlError) -> None: ...


class Equipped(Protocol):
    """What takes functions and inputs: an engine."""

    @property
    def functions(self) -> Functions: ...
    def javascript(self, name: str, source: str, file: str | None = None) -> None: ...
    def model(self, name: str, spec: str, **settings: Any) -> None: ...
    def function_from(self, alias: str, spec: str) -> None: ...
    def functions_from(self, directory: str | Path) -> None: ...
    def register_uri(self, name: str, uri: str) -> None: ...
    def register_reference_uri(self, name: str, uri: str) -> None: ...


@dataclass(frozen=True)
class Project:
    """A query and what it needs.

    Attributes:
        file: the file that makes the folder a project.
        script_file: where the query is.
        script: its text.
        inputs, references, outputs: URIs by name.
        absent: inputs that have no data here, by name.
        functions: by alias.
        folder: a folder of JavaScript functions.
        settings: settings of the job, as text.
        settings_file: the TOML file with the settings.
        cloud_outputs: what outputs are in the cloud, by name; here their rows go elsewhere.
        notes: what of the project has no effect here.
    """

    file: Path
    script_file: Path
    script: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, Absent] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    folder: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    settings_file: Path | None = None
    cloud_outputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def uses(self, name: str) -> bool:
        """Tell whether the query has a word or a name in brackets that is `name`."""
        pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
        return re.search(pattern, self.script, re.IGNORECASE) is not None

    def specs(self) -> list[str]:
        """Return what functions are named as, where they are named as in `--function`."""
        return [f.spec for f in self.functions.values() if isinstance(f, SpecFunction)]

    def folders(self) -> tuple[str, ...]:
        """Return the folders of functions as they are named in `--functions`."""
        return () if self.folder is None else (str(self.folder),)

    def equip(
        self, engine: Equipped, functions: Collection[str] | None, sources: Collection[str]
    ) -> None:
        """Give an engine the inputs and functions, except those that are given otherwise; without
        a collection no functions at all. Raises UsageError that names every file that is missing.
        """
        gone = self._add_inputs(engine, sources)
        if gone:
            lost = [] if functions is None else list(self._lost(functions).values())
            if len(gone) == 1 and not lost:
                raise gone[0]
            raise self._absent([error.path for error in gone] + lost)
        if functions is not None:
            self.add_functions(engine, functions)

    def add_functions(self, engine: Equipped, given: Collection[str] = ()) -> None:
        """Give an engine the functions, except those of which the aliases are `given` otherwise.

        Raises UsageError that names every function the query calls and nobody can make, and every
        file that is missing.
        """
        taken = {alias.lower() for alias in given}
        wanted = {a: f for a, f in self.functions.items() if a.lower() not in taken}
        lacking = {
            a: f for a, f in wanted.items() if isinstance(f, AbsentFunction) and self.uses(a)
        }
        if lacking:
            listed = ", ".join(f"udf.{alias} ({f.kind})" for alias, f in lacking.items())
            flags = " ".join(f"--function {alias}=SPEC" for alias in lacking)
            text = f"{self.file}: functions that cannot run from here: {listed}"
            engine.functions.unmade(lacking, UsageError(text, hint=f"give {flags}"))
        lost = self._lost(given)
        if len(lost) > 1:
            engine.functions.unmade(lost, self._absent(list(lost.values())))
            wanted = {a: f for a, f in wanted.items() if a not in lost}
        if self.folder is not None:
            engine.functions_from(self.folder)
        for alias, function in wanted.items():
            if isinstance(function, ScriptFunction):
                engine.javascript(alias, function.source, function.file)
            elif isinstance(function, SpecFunction) and function.settings:
                engine.model(alias, function.spec, **function.settings)
            elif isinstance(function, SpecFunction):
                engine.function_from(alias, function.spec)

    def _lost(self, given: Collection[str]) -> dict[str, str]:
        """Return the files of functions that are not there, by alias."""
        taken = {alias.lower() for alias in given}
        files = {
            alias: function.spec.partition(":")[0]
            for alias, function in self.functions.items()
            if isinstance(function, SpecFunction) and alias.lower() not in taken
        }
        return {a: f for a, f in files.items() if f.endswith(CODE) and not os.path.exists(f)}

    def _add_inputs(self, engine: Equipped, given: Collection[str]) -> list[MissingFile]:
        """Give an engine the inputs, except those that are `given` otherwise; return what files
        are missing."""
        taken = {name.lower() for name in given}
        gone = []
        for uris, register in (
            (self.inputs, engine.register_uri),
            (self.references, engine.register_reference_uri),
        ):
            for name, uri in uris.items():
                if name.lower() in taken:
                    continue
                try:
                    register(name, uri)
                except MissingFile as error:
                    gone.append(error)
        return gone

    def _absent(self, paths: Sequence[str]) -> UsageError:
        """Return the error of files that are missing."""
        folder = self.file.parent
        return absent(folder, [_within(folder, path) for path in paths], self.file)

    def refuse_absent(self, given: Collection[str] = (), *, cloud: bool = True) -> None:
        """Raise UsageError that names every input of the query without data, and its flag; where
        none are needed those of the `cloud` are well as they are."""
        taken = {name.lower() for name in given}
        open_ = {
            name: data
            for name, data in self.absent.items()
            if name.lower() not in taken and self.uses(name) and (cloud or data.missing)
        }
        if not open_:
            return
        listed = ", ".join(f"{name} ({data.kind})" for name, data in open_.items())
        flags = " ".join(
            f"--{'reference' if data.reference else 'input'} {_name(name)}=FILE"
            for name, data in open_.items()
        )
        raise UsageError(f"{self.file}: inputs without local data: {listed}", hint=f"give {flags}")


def _within(folder: Path, path: str) -> str:
    """Return a path as one may write it in a file of the folder."""
    return Path(os.path.relpath(path, folder)).as_posix() if not os.path.isabs(path) else path


def _name(name: str) -> str:
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"'[{name}]'"
