"""What the README and the pages of `docs/` show is true: their blocks are run."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streamql.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def bin_folder(tmp_path):
    """A folder with the commands `streamql` and `python` of this checkout."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, module in (("streamql", "-m streamql "), ("python", "")):
        command = folder / name
        command.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} "
            f'exec {shlex.quote(sys.executable)} {module}"$@"\n'
        )
        command.chmod(0o755)
    return folder


def test_readme_opens_with_the_two_commands():
    first = blocks(README, "")[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


PYTHON_PAGES = [ROOT / "README.md", ROOT / "docs" / "embedding.md"]


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=lambda page: page.stem)
def test_python_blocks_run_and_print_what_they_say(tmp_path, page):
    code = "\n".join(blocks(page.read_text(), "python"))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"# ([\[{].*[\]}])$", code, re.MULTILINE)


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def transcripts(page: Path) -> list[tuple[str, str]]:
    """Return the folder and the text of each transcript of a page.

    A block below `<!-- transcript: FOLDER -->` says `$ command` and, below, what it prints, in a
    copy of the folder; a command goes on in lines that begin with `> `. A block below
    `<!-- transcript goes on -->` goes on in the folder of the one before.
    """
    found: list[tuple[str, str]] = []
    pattern = r"^<!-- transcript(?:: (\S+)| goes on) -->\n```\n(.*?)^```$"
    for folder, block in re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE):
        if folder:
            found.append((folder, block))
        else:
            found[-1] = (found[-1][0], found[-1][1] + block)
    return found


TRANSCRIPTS = [
    pytest.param(folder, text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (folder, text) in enumerate(transcripts(page))
]


@pytest.mark.parametrize(("folder", "transcript"), TRANSCRIPTS)
def test_transcript_shows_what_comes_out(bin_folder, tmp_path, folder, transcript):
    if folder == "samples/taxi":
        pytest.importorskip("sklearn")
        if not (ROOT / folder / "model.joblib").exists():
            pytest.skip("the model is not trained (make demo)")
    if (ROOT / folder).exists():
        shutil.copytree(ROOT / folder, tmp_path / folder)
    commands = re.findall(r"^\$ (.*(?:\n>(?: .*|$))*)", transcript, re.MULTILINE)
    script = "\n".join(re.sub(r"\n> ?", "\n", command) for command in commands)
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    shown = [line for line in transcript.splitlines() if not re.match(r"\$ |>( |$)", line)]
    assert _numberless(done.stdout.splitlines()) == _numberless(shown)


def _numberless(lines: list[str]) -> list[str]:
    """Leave out what another machine, or another scikit-learn, gives otherwise."""
    timeless = [re.sub(r"\b[\d,]+(\.\d+)? [mµ]?s\b", "N s", line) for line in lines]
    return [re.sub(r"\b\d+\.\d+\b", "N", line) for line in timeless]


def test_command_lines_run(bin_folder, tmp_path):
    (tmp_path / "query.sql").write_text("SELECT id INTO o FROM input")
    (tmp_path / "events.jsonl").write_text('{"id":1}\n')
    (tmp_path / "rides.csv").write_text("id,fare\n1,75.5\n2,3\n")
    (block,) = [b for b in blocks(README, "") if b.startswith("streamql run query.sql")]
    done = subprocess.run(
        ["bash", "-ec", block],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('{"id":1}\n')
    assert "1 row to big" in done.stderr
    assert "CONCAT(" in done.stdout


def test_docs_list_every_setting():
    page = (ROOT / "docs" / "cli.md").read_text()
    for setting in dataclasses.fields(Settings):
        if setting.name != "functions":
            assert f"`{setting.name}`" in page


def test_no_link_leads_nowhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
