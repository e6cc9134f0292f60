"""What the pages show besides transcripts: command lines have flags that exist, settings are settings."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from streamql.cli import main
from streamql.engine import Engine
from streamql.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *ROOT.glob("samples/*/README.md"),
]
_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(?:^|\| *|\$ )streamql ([^\n]*)", re.MULTILINE)
_SYNOPSIS = re.compile(r"\[|\.\.\.|\bDIR-or|<")
"""Lines that show a form, not a command."""


def blocks(language: str) -> list[tuple[str, str]]:
    """Return the blocks of all pages in a language, each with the name of its page."""
    return [
        (page.relative_to(ROOT).as_posix(), text)
        for page in PAGES
        for found, text in _BLOCK.findall(page.read_text())
        if found == language
    ]


def command_lines() -> list[object]:
    found = {}
    for page, text in blocks(""):
        for line in _COMMAND.findall(text.replace("\\\n", " ")):
            line = re.split(r"\s#\s|\s\||\s2?>|\s<", line)[0].strip()
            if not _SYNOPSIS.search(line) and line.count("'") % 2 == line.count('"') % 2 == 0:
                found[page, line] = pytest.param(line, id=f"{page}: {line[:50]}")
    return list(found.values())


@pytest.mark.parametrize("line", command_lines())
def test_command_lines_have_flags_that_exist(line):
    words = shlex.split(line)
    context = click.Context(main, info_name="streamql")
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, inner, words = command.resolve_command(context, words)
        assert inner is not None
        context = click.Context(inner, parent=context, info_name=name)
        command = inner
    if isinstance(command, click.Group):
        return
    command.parse_args(context, list(words))


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_settings_of_the_pages_are_settings(page, text, tmp_path):
    file = tmp_path / "streamql.toml"
    file.write_text(text)
    if "query" not in tomllib.loads(text):
        assert Settings.load(file) != Settings()


@pytest.mark.parametrize(("page", "text"), blocks("js"))
def test_javascript_of_the_pages_is_javascript(page, text):
    with Engine() as engine:
        engine.javascript("shown", f"function shown() {{}}\n{text}")


@pytest.mark.parametrize(
    ("page", "text"), [b for b in blocks("python") if b[0] != "docs/language.md"]
)
def test_python_of_the_pages_is_python(page, text):
    compile(text, page, "exec")
