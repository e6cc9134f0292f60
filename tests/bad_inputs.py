"""Bad input seen through every command: how the cases of tests/bad_inputs.toml are set up and run.

A [[query]] is a query with its data, and every way in that can meet it says the same of it: the
commands, the Python API, and the fixture of the pytest plugin. [[commands]] are lines for what is
no query over data. `python tests/bad_inputs.py [WORDS]` prints what all of them say.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import os
import re
import shlex
import sqlite3
import sys
import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from adversary import Adversary, Reply, Request
from ways_in import ROWS, Heard, called, command, in_fixture, in_python, tested

FILE = Path(__file__).with_name("bad_inputs.toml")
SECRET = "secret1234"
WAYS = ("run", "check", "explain", "explain --run", "why", "repl", "test", "python", "fixture")
KINDS: Mapping[str, Sequence[int]] = {
    "compile": (2, 1, 2, 2, 2, 2, 1, 2, 2),
    "function": (2, 1, 2, 2, 2, 2, 2, 2, 2),
    "usage": (2, 2, 2, 2, 2, 2, 2, 2, 2),
    "run": (3, 0, 0, 3, 3, 3, 1, 3, 3),
}
"""The exit code of each way in, by what is wrong: the query, a function that is given with a flag,
another flag, or what the job meets. Errors in Python have such a code as well."""
DOWN = "http://127.0.0.1:9"
"""Where nobody listens."""


@dataclass(frozen=True)
class Place:
    """What there is before a command is run.

    Attributes:
        name: what is bad.
        files: beside rows.jsonl; a list of numbers are bytes, a .db the statements that make it.
        before: commands that are run first.
        broken: what is done to files after that.
    """

    name: str
    files: Mapping[str, Any] = field(default_factory=dict)
    before: Sequence[str] = ()
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """A query that is wrong, or meets what is.

    Attributes:
        kind: a key of KINDS.
        says: what a person is told, as `run` prints it.
        codes: exit codes that are others, by way in. What ends with 0 has nothing to tell.
        told: by way in, where something else is said.
        apart: ways in that cannot meet it.
    """

    place: Place
    query: str
    kind: str
    says: str
    flags: Sequence[str] = ("--input", "input=rows.jsonl")
    codes: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, str] = field(default_factory=dict)
    apart: Sequence[str] = ()

    @property
    def ways(self) -> list[str]:
        """The ways in that can meet it."""
        return [way for way in WAYS if way not in self.apart]


@dataclass(frozen=True)
class Commands:
    """Command lines with their exit codes, and what they say on standard error."""

    place: Place
    lines: Sequence[Mapping[str, Any]]


def read() -> tuple[list[Query], list[Commands]]:
    """Return the cases of the file."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    of_place = {"name", "files", "before", "broken"}

    def split(one: dict[str, Any]) -> tuple[Place, dict[str, Any]]:
        place = Place(**{k: v for k, v in one.items() if k in of_place})
        return place, {k: v for k, v in one.items() if k not in of_place}

    queries = [Query(place, **rest) for place, rest in map(split, content["query"])]
    commands = [Commands(place, **rest) for place, rest in map(split, content["commands"])]
    return queries, commands


def behave(request: Request) -> Reply:
    """Answer as the path says."""
    match request.path.rpartition("/")[2]:
        case "refuses":
            return Reply(b'{"message": "column fare is missing"}', 400)
        case "garbage":
            return Reply(b"<html>all is well</html>")
        case "short":
            return Reply([1] * (len(request.rows) - 1))
        case "busy":
            return Reply(b"busy", 503)
        case _:
            return Reply([1] * len(request.rows))


class Stage:
    """A folder with what a case needs in it; it is the working folder until `close`."""

    def __init__(self, folder: Path, server: Adversary, place: Place) -> None:
        self._names = {
            "{server}": f"http://127.0.0.1:{server.port}",
            "{down}": DOWN,
            "{folder}": str(folder),
        }
        self._held: list[IO[str]] = []
        self._before = os.getcwd()
        os.chdir(folder)
        Path("rows.jsonl").write_text(ROWS)
        Path("cases").mkdir()
        Path("query.sql").touch()
        for name, content in place.files.items():
            self._write(Path(name), content)
        for line in place.before:
            self.line(line)
        for name, change in place.broken.items():
            self._break(name, change)

    def close(self) -> None:
        """Go back to where one was."""
        for file in self._held:
            file.close()
        os.chdir(self._before)

    def line(self, text: str) -> Heard:
        """Run a command line."""
        return self._plain(command(*shlex.split(self._named(text))))

    def hear(self, case: Query, way: str) -> Heard:
        """Let a query go one way in."""
        Path("query.sql").write_bytes(case.query.encode())
        flags = [self._named(flag) for flag in case.flags]
        ways: Mapping[str, Callable[[], Heard]] = {
            "why": lambda: command("why", "query.sql", *flags, "--input-row", "input:1"),
            "repl": lambda: command("repl", *flags, stdin=case.query.rstrip() + ";"),
            "test": lambda: tested(case.query, flags),
            "python": lambda: called(case.query, lambda: in_python(case.query, flags)),
            "fixture": lambda: called(case.query, lambda: in_fixture(case.query, flags)),
        }
        usual = lambda: command(*way.split(), "query.sql", *flags)  # noqa: E731
        return self._plain(ways.get(way, usual)())

    def _named(self, text: str) -> str:
        for name, value in self._names.items():
            text = text.replace(name, value)
        return text

    def _plain(self, heard: Heard) -> Heard:
        def plain(text: str) -> str:
            for name, value in self._names.items():
                text = text.replace(value, name).replace(value.removeprefix("http://"), name)
            return re.sub(r"\b\d+\.\d+ s\b", "0.0 s", text)

        return Heard(heard.code, plain(heard.out), plain(heard.err))

    def _write(self, path: Path, content: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".db":
            with contextlib.closing(sqlite3.connect(path)) as base:
                base.executescript(content)
        elif isinstance(content, list):
            path.write_bytes(bytes(content))
        elif path.suffix:
            path.write_bytes(self._named(content).encode())
        else:
            path.mkdir(exist_ok=True)

    def _break(self, pattern: str, change: str) -> None:
        """Change files as somebody, or a disk, might."""
        for path in sorted(Path().glob(pattern)):
            raw = path.read_bytes()
            old, _, new = change.partition(" => ")
            match change:
                case "delete":
                    path.unlink()
                case "half":
                    path.write_bytes(raw[: len(raw) // 2])
                case "gzip, its end cut off":
                    path.write_bytes(gzip.compress(raw, mtime=0)[:-12])
                case "hold":
                    self._held.append(path.open("a+"))
                    fcntl.flock(self._held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                case "a newer version":
                    head, _, body = raw.partition(b"\n")
                    body = body.replace(b'"version": 1,', b'"version": 9,', 1)
                    head = re.sub(rb'"[0-9a-f]{8}"', b'"%08x"' % zlib.crc32(body), head)
                    path.write_bytes(head + b"\n" + body)
                case _:
                    assert old.encode() in raw, (path, raw)
                    path.write_bytes(raw.replace(old.encode(), new.encode()))


@contextlib.contextmanager
def serving() -> Iterator[Adversary]:
    """A model's server."""
    with Adversary(behave) as server:
        yield server


def _print_all(words: str) -> None:
    import tempfile

    queries, commands = read()
    with serving() as server:
        for case in (*queries, *commands):
            if words not in case.place.name:
                continue
            print("=" * 80, case.place.name, sep="\n")
            with tempfile.TemporaryDirectory() as folder:
                stage = Stage(Path(folder), server, case.place)
                try:
                    if isinstance(case, Query):
                        heards = [(way, stage.hear(case, way)) for way in case.ways]
                    else:
                        lines = [one["run"] for one in case.lines]
                        heards = [(line, stage.line(line)) for line in lines]
                finally:
                    stage.close()
            for way, heard in heards:
                print(f"--- {way}: {heard.code}", (heard.out + heard.err).rstrip(), sep="\n")


if __name__ == "__main__":
    os.environ["SCORE_KEY"] = SECRET
    _print_all(" ".join(sys.argv[1:]))
