"""The ways in for a query: commands, the Python API, the fixture; and what each of them says."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from streamql.cli import main
from streamql.engine import Engine
from streamql.errors import StreamqlError, render
from streamql.settings import Settings
from streamql.testing.bench import Bench

ROWS = """\
{"a":1,"b":"x","t":"2024-01-01T00:00:01Z"}
{"a":2,"b":"y","t":"2024-01-01T00:00:02Z"}
"""


@dataclass(frozen=True)
class Heard:
    """What came of going one way in."""

    code: int
    out: str
    err: str


def command(*arguments: str, stdin: str = "") -> Heard:
    """Run a command in this process."""
    found = CliRunner().invoke(main, list(arguments), input=stdin, prog_name="streamql")
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return Heard(found.exit_code, found.stdout, found.stderr)


def given(flags: Sequence[str], wanted: str) -> dict[str, str]:
    """Return the values of a flag by name; without a name it is the value itself."""
    pairs = zip(flags[::2], flags[1::2], strict=True)
    values = [value for flag, value in pairs if flag == wanted]
    return {v.partition("=")[0]: v.partition("=")[2] or v for v in values}


def tested(query: str, flags: Sequence[str]) -> Heard:
    """Run `streamql test` on the query as a case, with copies of its files."""
    case = Path("cases/one")
    shutil.rmtree(case, ignore_errors=True)
    (case / "expected").mkdir(parents=True)
    (case / "expected" / "output.jsonl").write_text("")
    (case / "query.sql").write_bytes(query.encode())
    for flag, kind in (("--input", "inputs"), ("--reference", "references")):
        for name, path in given(flags, flag).items():
            (case / kind).mkdir(exist_ok=True)
            suffix = Path(path).name.partition(".")[2]
            shutil.copy(path, case / kind / f"{name}.{suffix}")
    for folder in given(flags, "--functions"):
        shutil.copytree(folder, case / "functions")
    pairs = zip(flags[::2], flags[1::2], strict=True)
    passed = [p for pair in pairs if pair[0] in ("--function", "--set") for p in pair]
    return command("test", "cases", *passed)


def in_python(query: str, flags: Sequence[str]) -> None:
    settings = Settings.load(Path("streamql.toml"), {}, given(flags, "--set"))
    with Engine(settings) as engine:
        engine.on_warning = lambda _text: None
        for folder in given(flags, "--functions"):
            engine.functions_from(folder)
        for alias, spec in given(flags, "--function").items():
            engine.function_from(alias, spec)
        for name, uri in given(flags, "--input").items():
            engine.register_uri(name, uri)
        for name, uri in given(flags, "--reference").items():
            engine.register_reference_uri(name, uri)
        engine.sql(query).fetchall()


def in_fixture(query: str, flags: Sequence[str]) -> None:
    folders = list(given(flags, "--functions"))
    with Bench(Path()) as bench:
        job = bench.job(
            query,
            functions=folders[0] if folders else given(flags, "--function"),
            references=given(flags, "--reference"),
            settings=given(flags, "--set"),
        )
        for row in ROWS.splitlines():
            job.send("input", json.loads(row))
        job.end()


def called(query: str, go: Callable[[], None]) -> Heard:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            go()
    except StreamqlError as error:
        return Heard(error.exit_code, out.getvalue(), render(error, query) + "\n")
    return Heard(0, out.getvalue(), "")


def met(says: str, way: str, heard: Heard) -> bool:
    """Tell whether a way in said what `run` says, in its own form."""
    if way == "check" and heard.code == 1:
        told, lines = _as_checked(says), heard.out.splitlines()
        return any(
            lines[at].startswith(told[0]) and lines[at + 1 : at + len(told)] == told[1:]
            for at in range(len(lines))
        )
    if way == "test" and heard.code == 1:
        told = heard.out.replace("cases/one/inputs/", "")
        return "".join(f"  {line}\n" for line in says.splitlines()) in told
    if way == "repl":  # the query there ends with a semicolon
        return _without_semicolons(says) in _without_semicolons(heard.err)
    return says in heard.err


def _without_semicolons(text: str) -> str:
    return re.sub(r"^(  \| .*);$", r"\1", text, flags=re.MULTILINE)


def _as_checked(says: str) -> list[str]:
    """Return the lines of a message as `streamql check` prints them, after place and severity."""
    head, *rest = says.splitlines()
    lines, place = [head.removeprefix("error: ")], ""
    if rest and (found := re.fullmatch(r"  line (\d+), column (\d+)", rest[0])):
        place, rest = f":{found[1]}:{found[2]}", rest[1:]
    lines[0] = f"query.sql{place}: error: {lines[0]} ["
    return [*lines, *(f"  {line}" if line.startswith("hint: ") else line for line in rest)]
