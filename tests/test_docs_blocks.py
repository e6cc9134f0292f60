"""Every code block of every page is run: what it says works, and what it shows comes out.

`page_blocks.py` has the directives in the pages, `page_worlds.py` the folders they name.
`tests/pages/unrun.toml` lists the few command lines that are not run, with the reason.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import page_forms
import pytest
from page_blocks import (
    PAGES,
    ROOT,
    Block,
    blocks,
    command_lines,
    unrun,
    without_remark,
    worlds,
)
from page_worlds import World, unlike

BLOCKS = [block for page in PAGES for block in blocks(page)]
UNRUN, UNRUN_KINDS = unrun()
WORLDS = [
    pytest.param(world, id=world[0].place) for page in PAGES for world in worlds(blocks(page))
]
ELSEWHERE = {
    "docs/language.md": {"sql", "js", "python"},  # test_language_page.py
    "docs/check.md": {"sql"},  # test_check.py
}
PROGRAMS = sorted(
    {b.page for b in BLOCKS if b.language == "python" and "python" not in ELSEWHERE.get(b.page, ())}
)


@pytest.fixture
def make_world(tmp_path, request):
    """Makes the world of a folder."""
    made = []

    def make(folder: str) -> World:
        made.append(World(folder, tmp_path, lambda: request.getfixturevalue("postgres")))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.mark.parametrize("world", WORLDS)
def test_what_a_page_shows_comes_out(world, make_world, command, monkeypatch):
    there = make_world(world[0].folder)
    for block in world:
        RUNNERS[block.kind](block, there, command, monkeypatch)
        if "then" in block.keys:
            _succeed(there, block.keys["then"])


def _succeed(world: World, command: str, code: int = 0) -> str:
    found, said = world.run(command)
    assert found == code, f"{command}: exit code {found}\n{said}"
    return said


def _same(block: Block, shown: str, found: str) -> None:
    difference = unlike(shown, found, block.keys.get("figures") == "vary")
    assert not difference, f"{block.place}\n{difference}"


def _transcript(block: Block, world: World, *_: object) -> None:
    parts = re.split(r"^\$ (.*(?:\n>(?: .*|$))*)\n", block.text, flags=re.MULTILINE)
    assert parts[0] == "", f"{block.place}: what printed {parts[0]}?"
    commands = [re.sub(r"\n> ?", "\n", command) for command in parts[1::2]]
    for number, (command, shown) in enumerate(zip(commands, parts[2::2], strict=True), 1):
        code = int(block.keys.get("exit", 0)) if number == len(commands) else 0
        _same(block, f"$ {command}\n{shown}", f"$ {command}\n{_succeed(world, command, code)}")


def _commands(block: Block, world: World, *_: object) -> None:
    left_out = {line.command for line in UNRUN if line.page == block.page}
    commands = command_lines(block.text)
    assert commands, block.place
    for command in commands:
        if without_remark(command) not in left_out:
            _succeed(world, command)


def _forms(block: Block, world: World, command, monkeypatch) -> None:
    monkeypatch.chdir(world.at)
    for form in _entries(block.text):
        for text in page_forms.commands(form):
            for there, here in world.said["forms"].items():
                text = text.replace(there, here)
            code, _, said = command(*shlex.split(text.removeprefix("streamql ")))
            assert code == 0, f"{text}: exit code {code}\n{said}"


def _entries(text: str) -> list[str]:
    """Return the forms of a block: each goes on in the indented lines below it."""
    return re.sub(r"\n +", " ", text).splitlines()


def _flags(block: Block, world: World, *_: object) -> None:
    lines = command_lines(block.text)
    for line in lines:
        (command,) = [c for part, c in world.said["flags"].items() if line.startswith(part)]
        _succeed(world, f"{command} {line}")


def _output(block: Block, world: World, *_: object) -> None:
    said = _succeed(world, block.keys["by"], int(block.keys.get("exit", 0)))
    _same(block, block.text, said)


def _tree(block: Block, world: World, *_: object) -> None:
    _succeed(world, block.keys["by"])
    shown: set[str] = set()
    above = ""
    for line in block.text.splitlines():
        name = line.split()[0]
        above = "" if not line.startswith(" ") else above
        shown.add(above + name)
        above = name if name.endswith("/") else above
    top = world.at / block.text.split("/")[0]
    found = {str(p.relative_to(world.at)) + "/" * p.is_dir() for p in top.rglob("*")}
    numbered = [{re.sub(r"\d{6,}", "N", name) for name in names} for names in (shown, found)]
    assert numbered[0] == numbered[1], block.place


def _file(block: Block, world: World, *_: object) -> None:
    world.write(block.keys["name"], block.text)


RUNNERS = {
    "transcript": _transcript,
    "commands": _commands,
    "forms": _forms,
    "flags": _flags,
    "output": _output,
    "tree": _tree,
    "file": _file,
}


@pytest.mark.parametrize("page", PROGRAMS)
def test_python_of_a_page_runs_and_prints_what_it_says(page, make_world):
    """All blocks of a page are one program; remarks in brackets or braces are what it prints."""
    found = [b for b in BLOCKS if b.page == page and b.language == "python"]
    world = make_world(found[0].folder or "empty")
    before = world.at / "before.py"
    program = (before.read_text() if before.exists() else "") + "\n".join(b.text for b in found)
    world.write("program.py", program)
    said = _succeed(world, "python program.py")
    assert said.splitlines() == re.findall(r"# ([\[{].*[\]}])$", program, re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_block_is_run(block):
    if block.kind or block.language in ELSEWHERE.get(block.page, ()):
        return
    if block.language == "python" and block.page in PROGRAMS:
        return
    left_out = {line.command for line in UNRUN if line.page == block.page}
    lines = {without_remark(line) for line in command_lines(block.text)}
    assert lines <= left_out, f"it needs a directive (page_blocks.py has them):\n{block.text}"


def test_lines_that_are_not_run_are_on_their_page_and_of_their_kind():
    shown = {b.page: set() for b in BLOCKS}
    for block in BLOCKS:
        shown[block.page] |= {without_remark(line) for line in command_lines(block.text)}
    for line in UNRUN:
        assert line.command in shown[line.page], f"{line.page} does not show: {line.command}"
        assert re.search(UNRUN_KINDS[line.kind]["pattern"], line.command), line.command
        assert not re.match(r"(streamql|python) ", line.command), f"run it: {line.command}"
    assert all(kind["reason"] and kind["pages"] for kind in UNRUN_KINDS.values())


def test_what_pages_install_is_there_to_be_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra
        for page in PAGES
        for extras in re.findall(r"pip install '(?:\.|streamql)\[(.*?)\]'", page.read_text())
        for extra in extras.split(",")
    }
    assert named
    assert named <= set(project["optional-dependencies"])


def test_no_block_is_overlooked():
    for page in PAGES:
        fences = len(re.findall(r"^\s*(?:```|~~~)", page.read_text(), re.MULTILINE))
        assert fences == 2 * len(blocks(page)), page


def test_folders_of_pages_are_named_by_pages():
    named = {block.folder for block in BLOCKS}
    folders = {path.name for path in Path(__file__).with_name("pages").iterdir() if path.is_dir()}
    assert folders - {"help"} <= named  # test_help.py runs the examples of the help in it
