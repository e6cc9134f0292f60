"""Reads the examples of docs/language.md and runs them.

An example is a block of SQL whose comments say what it reads and gives:

    SELECT id FROM rides WHERE fare > 10
    -- set compatibility_level=1.1              a setting
    -- in  rides:  {"id": 1, "fare": 12.5}      the rows of an input; further rows below
    --             {"id": 2, "fare": 7.0}
    -- ref zones:  {"id": 1}                    the rows of reference data
    -- out output: {"id": 1}                    the rows of an output, in their order
    -- error: ...                               instead of `out`: the message

Functions it calls stand in blocks of the same section: ```js NAME, and ```python.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamql
from streamql.errors import StreamqlError

PAGE = Path(__file__).parents[1] / "docs" / "language.md"
_BLOCK = re.compile(r"^(#+) ([^\n]*)$|^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"-- (?:(in|ref|out) +(\w+): +|(error): |(set) |  +)(.*)")

Rows = list[dict[str, Any]]


@dataclass
class Example:
    """One block of SQL with its data, and the functions of its section."""

    section: str
    query: str
    inputs: dict[str, Rows] = field(default_factory=dict)
    references: dict[str, Rows] = field(default_factory=dict)
    outputs: dict[str, Rows] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    javascript: dict[str, str] = field(default_factory=dict)
    python: list[str] = field(default_factory=list)


def examples(text: str) -> list[Example]:
    """Return the examples of a page in their order."""
    found: list[Example] = []
    section = ""
    javascript: dict[str, str] = {}
    python: list[str] = []
    for block in _BLOCK.finditer(text):
        level, title, language, name, body = block.groups()
        if level:
            section, javascript, python = title, {}, []
        elif language == "js":
            javascript[name] = body
        elif language == "python":
            python.append(body)
        elif language == "sql" and re.search("^-- (out|error)", body, re.MULTILINE):
            found.append(_example(section, body, dict(javascript), list(python)))
    return found


def _example(section: str, body: str, javascript: dict[str, str], python: list[str]) -> Example:
    query = [line for line in body.splitlines() if not line.startswith("--")]
    made = Example(section, "\n".join(query), javascript=javascript, python=python)
    kinds = {"in": made.inputs, "ref": made.references, "out": made.outputs}
    rows: Rows = []
    for line in body.splitlines():
        if not line.startswith("--"):
            continue
        parts = _LINE.fullmatch(line)
        assert parts, f"{section}: {line}"
        kind, name, error, setting, rest = parts.groups()
        if error:
            made.error = rest
        elif setting:
            key, value = rest.split("=")
            made.settings[key] = value
        else:
            if kind:
                rows = kinds[kind].setdefault(name, [])
            if rest != "(no rows)":
                rows.append(json.loads(rest))
    return made


def run(example: Example, folder: Path, rows_in_batch: int | None = None) -> dict[str, Rows] | str:
    """Return the rows of each output, or the message of the error that stopped the job."""
    with streamql.Engine(**example.settings) as engine:
        if rows_in_batch:
            engine.cut = itertools.repeat(rows_in_batch)
        for name, rows in example.inputs.items():
            engine.register_uri(name, str(_written(folder / f"{name}.in.jsonl", rows)))
        for name, rows in example.references.items():
            engine.register_reference_uri(name, str(_written(folder / f"{name}.ref.jsonl", rows)))
        for name, source in example.javascript.items():
            engine.javascript(name, source)
        for source in example.python:
            exec(source, {"engine": engine})
        out = folder / "out"
        out.mkdir()
        try:
            engine.job(example.query, output_dir=str(out)).run()
        except StreamqlError as error:
            return str(error)
        return {path.stem: _read(path) for path in out.glob("*.jsonl")}


def _written(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _read(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def value_of(expression: str, level: str = "1.2") -> str:
    """Return the value of an expression as a literal, `error` if the job stops or is refused."""
    shown = f"SELECT {expression} AS v, GetType({expression}) AS t FROM input"
    try:
        with streamql.Engine(compatibility_level=level) as engine:
            engine.register("input", [{"id": 1}])
            (row,) = engine.sql(shown).fetchall()
    except StreamqlError:
        return "error"
    return _literal(row["v"], row["t"])


def truth_of(condition: str) -> str:
    """Return whether a condition is `true`, `false` or `unknown`."""
    case = (
        f"CASE WHEN {condition} THEN 'true' WHEN NOT ({condition}) THEN 'false' ELSE 'unknown' END"
    )
    return value_of(case).strip("'")


def _literal(value: Any, kind: str | None) -> str:
    if value is None:
        return "NULL"
    if kind == "nvarchar(max)":
        return "'" + value.replace("'", "''") + "'"
    if kind == "datetime":
        return f"'{value:%Y-%m-%dT%H:%M:%S.%f}0Z'"
    if kind == "bit":
        return str(int(value))
    return json.dumps(value)
