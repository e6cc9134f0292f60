"""`streamql.toml` as a project: the query, its inputs, outputs and functions, beside the settings.

    query = "query.sql"

    [inputs]
    entry = "data/entry.jsonl"

    [functions]
    score = "score.py"

Paths count from the folder of the file. A folder `functions` beside it holds JavaScript functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .files import absent, find, here, need, read_text
from .project import CODE, Function, Project, SpecFunction

NAME = "streamql.toml"
FUNCTIONS = "functions"
SPEC = "from"
"""The key in a function's table that says what it is; the others are its settings."""
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
PROPERTIES: dict[str, Any] = {
    "query": {"type": "string"},
    "inputs": _TEXTS,
    "references": _TEXTS,
    "outputs": _TEXTS,
}
"""The keys of a project that are no settings, as a JSON Schema."""


def settings_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a file's content are settings."""
    kept = {key: value for key, value in content.items() if key not in PROPERTIES}
    functions = {
        alias: {key: value for key, value in table.items() if key != SPEC}
        for alias, table in content.get(FUNCTIONS, {}).items()
        if not isinstance(table, str)
    }
    return {**kept, FUNCTIONS: functions} if FUNCTIONS in content else kept


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says. Raises UsageError with the place of what is wrong in it."""
    import tomllib

    try:
        # a line end of Windows is one; tomllib takes a byte-order mark for a statement
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).partition(" (at ")
        where = f", {place.rstrip(')')}".replace("end of document", "at its end") if place else ""
        hint = 'a text stands in quotes: key = "text"' if said == "Invalid value" else None
        raise UsageError(f"{file}{where}: {said[:1].lower()}{said[1:]}", hint=hint) from None


def read_toml_project(file: Path) -> Project:
    """Return the project that a `streamql.toml` makes of its folder.

    Raises UsageError; whether the settings in it are known is told where they are read.
    """
    folder = file.parent
    content = read_toml(file)
    query = content.get("query")
    if not isinstance(query, str):
        raise UsageError(f"{file} names no query", hint='write query = "query.sql" at its top')
    if find(folder, query) is None:
        raise absent(folder, [query, *_gone(folder, content)], file)
    script_file = need(folder, query, file)
    for key in ("inputs", "references", "outputs"):
        for name, uri in _table(content, key).items():
            if uri == "":
                raise UsageError(f"{file}: {key}.{name} is empty", hint="write a path or a URI")
    functions: dict[str, Function] = {}
    for alias, said in _table(content, FUNCTIONS).items():
        spec = said if isinstance(said, str) else said.get(SPEC) if isinstance(said, dict) else None
        if isinstance(spec, str):
            functions[alias] = SpecFunction(spec_from(folder, spec))
    javascript = folder / FUNCTIONS
    return Project(
        file=file,
        script_file=script_file,
        script=read_text(script_file),
        inputs=_uris(folder, _table(content, "inputs")),
        references=_uris(folder, _table(content, "references")),
        outputs=_uris(folder, _table(content, "outputs")),
        functions=functions,
        folder=javascript if javascript.is_dir() else None,
        settings_file=file,
    )


def _gone(folder: Path, content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the other files that a project without its query names, and that are not there."""
    for key in ("inputs", "references", FUNCTIONS):
        for said in _table(content, key).values():
            text = said.get(SPEC) if isinstance(said, dict) else said
            if not isinstance(text, str) or "://" in text or text.startswith("-"):
                continue
            code = key == FUNCTIONS
            file = text.partition(":" if code else "?")[0]
            plain = file.endswith(CODE) if code else not any(c in file for c in "*?[{")
            if plain and find(folder, file) is None:
                yield file


def _table(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = content.get(key, {})
    return table if isinstance(table, dict) else {}


def _uris(folder: Path, table: Mapping[str, Any]) -> dict[str, str]:
    return {name: uri_from(folder, uri) for name, uri in table.items() if isinstance(uri, str)}


def uri_from(folder: Path, uri: str) -> str:
    """Return a URI with a path that counts from a folder."""
    if uri == "-" or uri.startswith("-?") or "://" in uri:
        return uri
    return str(folder / here(folder, uri))


def spec_from(folder: Path, spec: str) -> str:
    """Return a function's SPEC with a path that counts from the folder."""
    file, colon, name = here(folder, spec).partition(":")
    if "://" in spec or not (file.endswith(CODE) or (folder / file).exists()):
        return spec
    return f"{folder / file}{colon}{name}"
