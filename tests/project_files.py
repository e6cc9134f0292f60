"""Projects made for tests, and a way to run commands on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamql.cli import main, startup

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "azure-project"
QUERY = "SELECT a, udf.twice(a) AS b INTO out FROM entry"
ROWS = '{"a":1,"b":2}\n{"a":2,"b":4}\n'
XML = """\ufeff<Project xmlns="http://schemas.microsoft.com/developer/msbuild/2003">\r
  <ItemGroup><Configure Include="Inputs\\Local_entry.json"><SubType>InputMock</SubType></Configure>
  </ItemGroup><ItemGroup><Script Include="JOB.asaql" /></ItemGroup></Project>"""
MOCK = {"InputAlias": "entry", "Type": "Data Stream", "Format": "Json", "FilePath": "data.json"}
CLOUD = {"Name": "entry", "Type": "Data Stream", "DataSourceType": "Event Hub"}
TWICE = "function main(x) { return x * 2; }"


@pytest.fixture
def command(capfd, monkeypatch):
    """Runs a command; gives its exit code, and what is on standard output and standard error.

    What a run does to its process once and for all is left out.
    """
    for name in (
        "skip_pandas",
        "share_the_interpreter",
        "keep_freed_memory",
        "load_v8_meanwhile",
    ):
        monkeypatch.setattr(startup, name, lambda: None)

    def run(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main(list(args))
        return (ended.value.code, *capfd.readouterr())

    return run


def make(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def manifest(*files: str, start: str = "job.asaql") -> dict:
    return {"name": "p", "startFile": start, "configurations": [{"filePath": f} for f in files]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that runs, with a script, an input and a function."""
    monkeypatch.chdir(tmp_path)
    files = {
        "asaproj.json": manifest("Inputs\\Local_entry.json", "Functions\\twice.js.json"),
        "job.asaql": QUERY,
        "Inputs/Local_entry.json": {**MOCK, "ScriptType": "InputMock"},
        "Inputs/data.json": '{"a":1}\n{"a":2}\n',
        "Functions/twice.js": TWICE,
        "Functions/twice.js.json": {"Name": "twice", "ScriptType": "JSFunctionConfig"},
    }
    return make(tmp_path / "job", files)
