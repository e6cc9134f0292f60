"""The house rules: short files, telling module names, docstrings, no machine paths."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 350
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}
# put together here, or this file would break its own rule
MACHINE_PATHS = tuple(f"/{start}".encode() for start in ("work/", "tmp/bash", "tmp/w/", "root/"))


def project_files() -> list[Path]:
    """Return the files that are in the repository or would be with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in found if path.is_file())


FILES = project_files()
MODULES = [path for path in FILES if path.suffix == ".py"]
SOURCES = [
    path
    for path in FILES
    if path.suffix in {".py", ".js", ".lark"} and "conformance" not in path.parts
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_file_is_short(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST, f"{lines} lines; split it, at most {LONGEST} are allowed"


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_says_what_it_is(path):
    assert path.stem not in VAGUE, "name the module by what it is about"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module starts with a docstring"


def test_no_machine_paths():
    found = [
        f"{relative(path)}: {mark.decode()}"
        for path in FILES
        for mark in MACHINE_PATHS
        if mark in path.read_bytes()
    ]
    assert not found, f"paths of one machine: {found}"
