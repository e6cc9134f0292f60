"""What a project says, whichever files said it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..errors import StreamqlError, UsageError


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
    """An input without data here: what it is in the cloud, and whether it is reference data."""

    kind: str
    reference: bool = False


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

    def add_functions(self, engine: Equipped, given: Collection[str] = ()) -> None:
        """Give an engine the functions, except those of which the aliases are `given` otherwise.

        Raises UsageError that names every function the query calls and nobody can make.
        """
        taken = {alias.lower() for alias in given}
        wanted = {a: f for a, f in self.functions.items() if a.lower() not in taken}
        absent = {a: f for a, f in wanted.items() if isinstance(f, AbsentFunction) and self.uses(a)}
        if absent:
            listed = ", ".join(f"udf.{alias} ({f.kind})" for alias, f in absent.items())
            flags = " ".join(f"--function {alias}=SPEC" for alias in absent)
            text = f"{self.file}: functions that cannot run from here: {listed}"
            engine.functions.unmade(absent, UsageError(text, hint=f"give {flags}"))
        if self.folder is not None:
            engine.functions_from(self.folder)
        for alias, function in wanted.items():
            if isinstance(function, ScriptFunction):
                engine.javascript(alias, function.source, function.file)
            elif isinstance(function, SpecFunction) and function.settings:
                engine.model(alias, function.spec, **function.settings)
            elif isinstance(function, SpecFunction):
                engine.function_from(alias, function.spec)

    def add_inputs(self, engine: Equipped, given: Collection[str] = ()) -> None:
        """Give an engine the inputs, except those that are `given` otherwise."""
        taken = {name.lower() for name in given}
        for name, uri in self.inputs.items():
            if name.lower() not in taken:
                engine.register_uri(name, uri)
        for name, uri in self.references.items():
            if name.lower() not in taken:
                engine.register_reference_uri(name, uri)

    def refuse_absent(self, given: Collection[str] = ()) -> None:
        """Raise UsageError that names every input of the query without data, and its flag."""
        taken = {name.lower() for name in given}
        open_ = {
            name: absent
            for name, absent in self.absent.items()
            if name.lower() not in taken and self.uses(name)
        }
        if not open_:
            return
        listed = ", ".join(f"{name} ({absent.kind})" for name, absent in open_.items())
        flags = " ".join(
            f"--{'reference' if absent.reference else 'input'} {_name(name)}=FILE"
            for name, absent in open_.items()
        )
        raise UsageError(f"{self.file}: inputs without local data: {listed}", hint=f"give {flags}")


def _name(name: str) -> str:
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f"'[{name}]'"
