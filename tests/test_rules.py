"""Rules of the language, one a case: tests/rules/*.txt hold queries, events and what must come out.

A case begins with `### its title` and goes on with the query. Then there are parts, each with its
lines: `<< NAME` events of an input, `~~ NAME` reference data, `>> NAME` rows of an output,
`@@ ALIAS` a JavaScript function, `== NAME value` a setting, `!! compile` or `!! runtime` the error
that must come, `%%` other keys of case.json. Cases with several events run in one batch, and one by
one with a restart after each.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from streamql.testing.execution import run_case
from streamql.testing.folders import read_case
from streamql.testing.report import failure_lines

FOLDER = Path(__file__).parent / "rules"
PLACES = {
    "<<": "inputs/{}.jsonl",
    "~~": "references/{}.jsonl",
    ">>": "expected/{}.jsonl",
    "@@": "functions/{}.js",
}


def cases() -> dict[str, str]:
    """Return the text of each case by its name: file and title."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.split(r"^### ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title, _, text = block.partition("\n")
            name = f"{path.stem}: {title}"
            assert name not in found, name
            found[name] = text
    return found


CASES = cases()


def write(text: str, folder: Path) -> None:
    """Make the folder of a case out of its text."""
    query, *parts = re.split(r"^(?=(?:<<|~~|>>|@@|==|!!|%%) )", text, flags=re.MULTILINE)
    facts: dict[str, object] = {"expect_error": None}
    settings: dict[str, str] = {}
    folder.mkdir()
    (folder / "query.sql").write_text(query.strip("\n"), encoding="utf-8")
    for part in parts:
        head, _, body = part.partition("\n")
        mark, name = head[:2], head[3:].strip()
        if mark == "!!":
            facts["expect_error"] = name
        elif mark == "%%":
            facts |= json.loads(name)
        elif mark == "==":
            key, value = name.split()
            settings[key] = value
        else:
            file = folder / PLACES[mark].format(name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(body, encoding="utf-8")
    if settings:
        facts["settings"] = settings
    (folder / "case.json").write_text(json.dumps(facts), encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_rule(name, tmp_path):
    write(CASES[name], tmp_path / "case")
    case = read_case(tmp_path / "case", name)
    assert case.expect_error or case.expected, "a case must expect something"
    events = sum(len(Path(file).read_bytes().splitlines()) for file in case.inputs.values())
    for cuts in ("all", "restart") if events > 1 and not case.expect_error else ("all",):
        outcome = run_case(case, cuts)
        lines = "\n".join(line.text for line in failure_lines(outcome))
        assert outcome.passed, f"{name} [{cuts}]\n{lines}"
