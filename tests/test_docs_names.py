"""Names in the text of the pages: flags, settings and metrics that it speaks of are there."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import PurePath

import click
import pytest
from adversary import Adversary, double
from page_blocks import PAGES, ROOT
from prometheus_client.parser import text_string_to_metric_families
from watched_process import Watched

from streamql.cli import main
from streamql.settings import Settings
from streamql.udf.javascript import runtimes
from streamql.udf.python import imports
from streamql.udf.scoring import ScoringSettings, factory, options
from streamql.udf.scoring.protocols.catalog import PROTOCOLS

OTHERS_FLAGS = {
    "--jobs", "--events", "--runs", "--markdown",  # benchmarks
    "--entry_script", "--port",  # azmlinfsrv
    "--now", "--restart",  # systemctl, docker
}  # fmt: skip
DOCUMENTS = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())


def flags(command: click.Command) -> set[str]:
    found = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= flags(inner)
    return found


FLAGS = flags(main) | {"--help"} | OTHERS_FLAGS


@DOCUMENTS
def test_flags_are_flags(page):
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_-]*[a-z]", page.read_text()))
    assert named <= FLAGS


JOB = {field.name for field in dataclasses.fields(Settings)}
MODEL = {
    "protocol",
    *options.readers(ScoringSettings),
    *(name for protocol in PROTOCOLS for name in options.readers(protocol)),
    *(name for readers in factory._LOCAL.values() for name in readers),
}
FUNCTION = {*MODEL, *imports._SETTINGS, *runtimes._NAMES}


@DOCUMENTS
def test_settings_are_settings(page):
    """`--set KEY=`, and `KEY=` and `ALIAS.KEY` in the text."""
    text = page.read_text()
    given = {*re.findall(r"--set '?([\w.]+)=", text), *re.findall(r"`(\w+\.\w+)=[^`]*`", text)}
    for name in given - {"KEY", "ALIAS.KEY"}:
        alias, _, key = name.rpartition(".")
        assert key in (FUNCTION if alias else JOB | FUNCTION), name
    # aliases of functions, as the pages call them
    for key in re.findall(r"`(?:score|fare|gross|ALIAS|words|doubled)\.(\w+)`", text):
        assert key in FUNCTION | {"js", "sql", "py", "jsonl"}, key


def test_settings_of_models_have_a_place_in_the_tables():
    page = (ROOT / "docs" / "scoring.md").read_text()
    spans = " ".join(re.findall(r"`([^`\n]+)`", page))
    assert {name for name in MODEL if not re.search(rf"\b{name}\b", spans)} == set()


def test_metrics_are_metrics(tmp_path):
    """A job that has everything that figures tell of serves those of the page and no others."""
    page = (ROOT / "docs" / "operations.md").read_text()
    told = set(re.findall(r"`((?:streamql|process)_\w+)`", page))
    shared = re.search(r"`streamql_operator_input_rows_total`, `\.{3}(\w+)`, `\.{3}(\w+)`", page)
    assert shared
    told |= {f"streamql_operator{name}" for name in shared.groups()}
    (tmp_path / "query.sql").write_text(
        "SELECT udf.score(a) AS s INTO o FROM rides; "
        "SELECT COUNT(*) AS n INTO p FROM rides GROUP BY TumblingWindow(hour, 1)"
    )
    with Adversary(double) as server:
        flags = [f"--function=score={server.url}", "--input=-", "--checkpoint=state"]
        flags += ["--set=checkpoint_interval=100ms"]
        with Watched(tmp_path, "query.sql", *flags) as job:
            job.send(*({"a": n} for n in range(3)))
            job.until(lambda s: s.get(("streamql_checkpoint_seconds_count",)))
            families = list(text_string_to_metric_families(job.get("/metrics")[2]))
            assert job.finish()[0] == 0
    found = {f.name + "_total" * (f.type == "counter") for f in families}
    assert {name for name in told if name not in found} == set()
    assert {name for name in found - told if name.startswith("streamql_")} == set()


def test_the_design_has_all_packages_in_the_order_of_their_layers():
    page = (ROOT / "docs" / "design.md").read_text()
    layout = page[page.index("| package |") : page.index("## 10.")]
    told = re.findall(r"`(\w+)(?:/|\.py)`", layout[: layout.index("\n\n")])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    layers = [layer.split(" | ") for layer in reversed(contract["layers"])]
    places = {name: place for place, layer in enumerate(layers) for name in layer}
    assert [name for name in places if name not in told] == []
    found = [places[name] for name in told if name in places]
    assert found == sorted(found)


def test_comments_that_name_a_section_of_the_language_find_it():
    page = (ROOT / "docs" / "language.md").read_text()
    sections = set(re.findall(r"^#+ (.*)$", page, re.MULTILINE))
    sources = [path.read_text() for path in (ROOT / "streamql").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"\(language\.md, ([^)]+)\)", text)}
    assert named
    assert named <= sections
    assert [text for text in sources if re.search(r"\(language [0-9]", text)] == []


def test_the_page_of_settings_has_their_defaults():
    page = (ROOT / "docs" / "cli.md").read_text()
    rows = re.findall(r"^\| `(\w+)`(?:, `\w+`)? \| `?([^|`]+?)`? \|", page, re.MULTILINE)
    given = {name: default for name, default in rows if name in JOB and default != "none"}
    assert len(given) > 20
    assert given.pop("policy") == "adjust"  # where a setting of time is given
    assert Settings.with_overrides(Settings(), given) == Settings()


FILES = [
    ("benchmarks", "benchmarks/README.md"),
    ("samples/taxi", "samples/taxi/README.md"),
    ("samples/deploy", "samples/deploy/README.md"),
]


@pytest.mark.parametrize(("folder", "page"), FILES)
def test_files_of_a_folder_are_on_its_page_and_others_are_not(folder, page):
    text = (ROOT / page).read_text()
    rows = re.findall(r"^\| ((?:`[\w.@*/]+`(?:, )?)+) \| \w", text, re.MULTILINE)
    told = {name.rstrip("/") for row in rows for name in re.findall("`(.*?)`", row) if "." in name}
    there = {p.name for p in (ROOT / folder).iterdir() if p.is_file()} - {"README.md"}
    there -= {"model.joblib"}  # made
    assert {n for n in told if not any(PurePath(f).match(n) for f in there)} == set()
    patterns = [*told, *re.findall("`([\\w.@]+)`", text)]
    assert {f for f in there if not any(PurePath(f).match(n) for n in patterns)} == set()
