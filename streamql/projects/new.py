"""New projects: one that runs at once, and one that says what an Azure project says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UsageError
from .project import Project, ScriptFunction, SpecFunction
from .toml import NAME

_FILES = {
    NAME: """\
# What `streamql run` does in this folder; docs/azure.md and docs/cli.md have all keys.
query = "query.sql"

[inputs]
rides = "data/rides.jsonl"

[references]
zones = "data/zones.csv"
""",
    "query.sql": """\
-- Each ride with the name of its zone, and each minute of each zone.
WITH priced AS (
    SELECT r.id, z.name AS zone, udf.gross(r.fare, r.currency) AS gross
    FROM rides r TIMESTAMP BY started
    JOIN zones z ON r.zone = z.zone
)
SELECT id, zone, gross INTO priced_rides FROM priced;

SELECT zone, COUNT(*) AS rides, SUM(gross) AS total, System.Timestamp() AS until
INTO minutes
FROM priced
GROUP BY zone, TumblingWindow(minute, 1);
""",
    "data/rides.jsonl": """\
{"id":1,"zone":"A","fare":10,"currency":"EUR","started":"2024-05-06T08:00:05Z"}
{"id":2,"zone":"B","fare":12,"currency":"USD","started":"2024-05-06T08:00:20Z"}
{"id":3,"zone":"A","fare":8.5,"currency":"EUR","started":"2024-05-06T08:00:50Z"}
{"id":4,"zone":"A","fare":20,"currency":"EUR","started":"2024-05-06T08:01:10Z"}
""",
    "data/zones.csv": "zone,name\nA,Airport\nB,Harbour\n",
    "functions/gross.js": """\
// The fare in euros, with tax.
function main(fare, currency) {
    const rate = currency === 'USD' ? 0.92 : 1;
    return Math.round(fare * rate * 110) / 100;
}
""",
    "tests/two-rides/inputs/rides.jsonl": """\
{"id":1,"zone":"A","fare":10,"currency":"EUR","started":"2024-05-06T08:00:05Z"}
{"id":2,"zone":"C","fare":10,"currency":"EUR","started":"2024-05-06T08:00:20Z"}
""",
    "tests/two-rides/expected/priced_rides.jsonl": '{"id":1,"zone":"Airport","gross":11}\n',
    "tests/two-rides/expected/minutes.jsonl": (
        '{"zone":"Airport","rides":1,"total":11,"until":"2024-05-06T08:01:00Z"}\n'
    ),
    "README.md": """\
# A stream query

    streamql run .      runs query.sql over data/, with the functions in functions/
    streamql test .     runs the cases in tests/: events in, rows expected
    streamql run . --input rides=-      takes events from standard input

`streamql.toml` says where inputs come from; flags win over it.
""",
}


def new_project(folder: Path) -> list[Path]:
    """Write a project that runs at once: query, data, function, test. Returns its files.

    Raises UsageError rather than write over a file.
    """
    return _write(folder, _FILES)


def from_asa(folder: Path, project: Project) -> list[Path]:
    """Write a `streamql.toml` that says what an Azure project says, beside it.

    Code that stands within a file of JSON gets a file of its own. Raises UsageError.
    """
    files: dict[str, str] = {}
    functions = []
    for alias, function in project.functions.items():
        if isinstance(function, SpecFunction):
            functions.append((alias, _relative(folder, function.spec), function.settings))
        elif isinstance(function, ScriptFunction):
            file = Path(function.file)
            if file.suffix.lower() != ".js":
                file = file.parent / f"{alias}.js"
                files[_relative(folder, str(file))] = function.source
            functions.append((alias, _relative(folder, str(file)), {}))
    lines = [
        f"# Made from {project.file.name}; from now on this file is what counts.",
        f"query = {_text(_relative(folder, str(project.script_file)))}",
        *(f"{key} = {_text(value)}" for key, value in project.settings.items()),
        *_table("inputs", _uris(folder, project.inputs), _absent(project, reference=False)),
        *_table("references", _uris(folder, project.references), _absent(project, reference=True)),
        *_functions(project, functions),
    ]
    return _write(folder, {**files, NAME: "\n".join(lines) + "\n"})


def _functions(
    project: Project, functions: list[tuple[str, str, Mapping[str, str]]]
) -> Iterator[str]:
    missing = [
        f'# {_key(alias)} = "SPEC"  # {function.kind}'
        for alias, function in project.functions.items()
        if not isinstance(function, ScriptFunction | SpecFunction)
    ]
    plain = {alias: spec for alias, spec, settings in functions if not settings}
    yield from _table("functions", plain, missing)
    for alias, spec, settings in functions:
        if settings:
            yield from ("", f"[functions.{_key(alias)}]", f"from = {_text(spec)}")
            yield from (f"{key} = {_text(value)}" for key, value in settings.items())


def _absent(project: Project, *, reference: bool) -> list[str]:
    return [
        f'# {_key(name)} = "FILE"  # {absent.kind}: no local data'
        for name, absent in project.absent.items()
        if absent.reference == reference
    ]


def _table(name: str, values: Mapping[str, str], remarks: list[str]) -> list[str]:
    if not values and not remarks:
        return []
    return ["", f"[{name}]", *(f"{_key(k)} = {_text(v)}" for k, v in values.items()), *remarks]


def _uris(folder: Path, uris: Mapping[str, str]) -> dict[str, str]:
    return {name: _relative(folder, uri) for name, uri in uris.items()}


def _relative(folder: Path, text: str) -> str:
    if "://" in text or text == "-":
        return text
    return Path(os.path.relpath(text, folder)).as_posix()


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    paths = {folder / name: text for name, text in files.items()}
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already", hint="nothing was written")
    try:
        for path, text in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        reason = (error.strerror or "not writable").lower()
        raise UsageError(f"cannot write {error.filename}: {reason}") from None
    return list(paths)
