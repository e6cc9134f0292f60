"""Azure Stream Analytics projects as the tools of Visual Studio Code and Visual Studio write them.

`asaproj.json` and `.asaproj` list files with a kind each. Files in Inputs, Outputs and Functions
that nobody lists count as well: not every tool keeps the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from ..errors import UsageError
from .asa_functions import function_of, is_function
from .asa_sources import Source, source_of
from .files import find, need, need_all, read_object, read_text
from .project import Absent, Function, Project, ScriptFunction

SCRIPT_SUFFIX = ".asaql"
_OUTPUT_ERRORS = {"drop": "drop", "retry": "retry", "stop": "fail"}
_FOLDERS = ("Inputs", "Outputs", "Functions")


@dataclass(frozen=True)
class _Manifest:
    """What a project file lists: the script, and the other files."""

    script: str | None
    files: tuple[str, ...]


def read_asa_project(file: Path) -> Project:
    """Return the project of an `asaproj.json`, an `.asaproj` or a bare `.asaql`.

    Raises UsageError for files that are listed and missing, and for those that cannot be read.
    """
    folder = file.parent
    manifest = _manifest(file)
    named = (*(() if manifest.script is None else (manifest.script,)), *manifest.files)
    need_all(folder, named, file)  # all that are missing in one error
    script_file = _script(file, manifest)
    listed = [need(folder, name, file) for name in manifest.files]
    seen = {path.resolve() for path in listed}
    found = _Found(folder)
    for path in [*listed, *(p for p in _unlisted(folder) if p.resolve() not in seen)]:
        found.add(path)
    return found.project(file, script_file)


class _Found:
    """Collects what the files of a project say; the first file that says something wins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._job: dict[str, Any] = {}
        self._local: dict[str, Source] = {}
        self._cloud: dict[str, Source] = {}
        self._outputs: dict[str, str] = {}
        self._functions: dict[str, Function] = {}

    def add(self, path: Path) -> None:
        """Take in a file, by what it holds: the kinds in lists differ from tool to tool."""
        if path.suffix.lower() == ".js":
            source = ScriptFunction(read_text(path), str(path))
            self._functions.setdefault(path.stem, source)
            return
        if path.suffix.lower() != ".json":
            return
        content = read_object(path)
        kind = str(content.get("scripttype") or "").lower()
        parent = path.parent.name.lower()
        if kind == "jobconfig" or "eventsoutoforderpolicy" in content:
            self._job = self._job or content
        elif kind == "inputmock" or "inputalias" in content:
            self._put(self._local, source_of(path, content))
        elif kind == "output" or parent == "outputs":
            name = str(content.get("name") or path.stem)
            self._outputs.setdefault(name, str(content.get("datasourcetype") or "cloud"))
        elif is_function(content) or parent == "functions":
            alias, function = function_of(path, content)
            self._functions[alias] = function  # it knows more than the bare script of its name
        elif kind == "input" or parent == "inputs":
            self._put(self._cloud, source_of(path, content))

    @staticmethod
    def _put(sources: dict[str, Source], source: Source) -> None:
        if source.name.lower() not in {name.lower() for name in sources}:
            sources[source.name] = source

    def project(self, file: Path, script_file: Path) -> Project:
        """Return the project, with the local stand-ins of inputs in place of those in the cloud."""
        cloud = {name.lower(): source for name, source in self._cloud.items()}
        inputs: dict[str, str] = {}
        references: dict[str, str] = {}
        absent: dict[str, Absent] = {}
        for name, source in {**self._cloud, **self._local}.items():
            uri = source.uri(self._folder, cloud.get(name.lower()))
            if uri is None and name.lower() in {n.lower() for n in (*inputs, *references)}:
                continue
            absent = {n: a for n, a in absent.items() if n.lower() != name.lower()}
            if uri is None:
                absent[name] = source.absent(self._folder)
            else:
                (references if source.reference else inputs)[name] = uri
        settings, notes = _job_settings(self._job)
        return Project(
            file=file,
            script_file=script_file,
            script=read_text(script_file),
            inputs=inputs,
            references=references,
            absent=absent,
            functions=self._functions,
            settings=settings,
            cloud_outputs=self._outputs,
            notes=notes,
        )


def _manifest(file: Path) -> _Manifest:
    if file.suffix.lower() == SCRIPT_SUFFIX:
        return _Manifest(file.name, ())
    if file.suffix.lower() == ".asaproj":
        return _xml_manifest(file)
    content = read_object(file)
    files = []
    entries = content.get("configurations") or []
    for entry in entries if isinstance(entries, list) else [entries]:
        path = (
            {str(k).lower(): v for k, v in entry.items()}.get("filepath")
            if isinstance(entry, dict)
            else None
        )
        if not isinstance(path, str):
            raise UsageError(
                f"{file}: an entry of configurations has no filePath: {entry!r}",
                hint='write {"filePath": "Inputs/entry.json"}',
            )
        files.append(path)
    script = content.get("startfile")
    return _Manifest(script if isinstance(script, str) and script else None, tuple(files))


def _xml_manifest(file: Path) -> _Manifest:
    try:
        root = ET.fromstring(read_text(file))
    except ET.ParseError as error:
        raise UsageError(f"{file}: no XML: {error}") from None
    scripts, files = [], []
    for element in root.iter():
        tag = str(element.tag).rpartition("}")[2]
        include = element.get("Include")
        if include and tag == "Script":
            scripts.append(include)
        elif include and tag == "Configure":
            files.append(include)
    return _Manifest(scripts[0] if scripts else None, tuple(files))


def _script(file: Path, manifest: _Manifest) -> Path:
    if manifest.script is not None:
        return need(file.parent, manifest.script, file)
    scripts = scripts_in(file.parent)
    if len(scripts) == 1:
        return scripts[0]
    raise UsageError(
        f"{file} names no query, and beside it there are {len(scripts)} {SCRIPT_SUFFIX} files",
        hint='write "startFile": "query.asaql"',
    )


def scripts_in(folder: Path) -> list[Path]:
    """Return the `.asaql` files of a folder."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() == SCRIPT_SUFFIX and p.is_file())


def _unlisted(folder: Path) -> Iterator[Path]:
    job = find(folder, "JobConfig.json")
    if job is not None:
        yield job
    for name in _FOLDERS:
        below = find(folder, name)
        if below is not None and below.is_dir():
            # data lie in Inputs as well: only files that say what they are count
            yield from (p for p in sorted(below.iterdir()) if _is_configuration(p))


def _is_configuration(path: Path) -> bool:
    if path.suffix.lower() == ".js":
        return path.parent.name.lower() == "functions"
    if path.suffix.lower() != ".json" or path.stat().st_size > 1_000_000:
        return False
    try:
        content = read_object(path)
    except UsageError:
        return False  # lines of events, for example
    return "scripttype" in content or "inputalias" in content or is_function(content)


def _job_settings(job: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the settings in JobConfig.json, and what of it has no effect here."""
    settings = {}
    level = job.get("compatibilitylevel")
    if level is not None:
        settings["compatibility_level"] = str(level)
    late = job.get("eventslatearrivalmaxdelayinseconds")
    if isinstance(late, int) and late >= 0:  # -1: however late
        settings["late_arrival"] = f"{late}s"
    order = job.get("eventsoutofordermaxdelayinseconds")
    if isinstance(order, int):
        settings["out_of_order"] = f"{order}s"
    policy = job.get("eventsoutoforderpolicy")
    if isinstance(policy, str) and policy:
        settings["policy"] = policy.lower()
    errors = _OUTPUT_ERRORS.get(str(job.get("outputerrorpolicy")).lower())
    if errors is not None:
        settings["output_errors"] = errors
    locale = str(job.get("datalocale") or "en-US")
    notes = () if locale.lower() == "en-us" else (f"DataLocale {locale} has no effect",)
    return settings, notes
