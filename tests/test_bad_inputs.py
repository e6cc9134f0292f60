"""Bad input through every command: tests/bad_inputs.toml says what is told, and by which ways in."""

from __future__ import annotations

import os
import re

import pytest
from bad_inputs import KINDS, SECRET, WAYS, Commands, Query, Stage, read, serving
from ways_in import met

QUERIES, COMMANDS = read()
NEVER = re.compile(rf"Traceback|defect of streamql|{SECRET}|\x1b\[|\.py:\d+: ")
"""What no message has in it."""


@pytest.fixture(scope="module")
def server():
    with serving() as found:
        yield found


@pytest.fixture
def stage(tmp_path, server, monkeypatch):
    """Return what makes the stage of a case."""
    for name in [n for n in os.environ if n.startswith("STREAMQL_")] + ["COLUMNS", "NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCORE_KEY", SECRET)
    made = []

    def make(place):
        made.append(Stage(tmp_path, server, place))
        return made[0]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("case", QUERIES, ids=[c.place.name for c in QUERIES])
def test_all_ways_in_say_the_same(stage, case: Query):
    usual = dict(zip(WAYS, KINDS[case.kind], strict=True))
    place = stage(case.place)
    for way in case.ways:
        heard = place.hear(case, way)
        assert heard.code == case.codes.get(way, usual[way]), (way, heard)
        assert not NEVER.search(heard.out + heard.err), (way, heard)
        if heard.code:
            assert met(case.told.get(way, case.says), way, heard), (way, heard)


@pytest.mark.parametrize("case", COMMANDS, ids=[c.place.name for c in COMMANDS])
def test_commands_say_what_is_wrong(stage, case: Commands):
    place = stage(case.place)
    for line in case.lines:
        heard = place.line(line["run"])
        assert (heard.code, heard.err) == (line["code"], line["says"]), line["run"]
        assert "prints" not in line or heard.out == line["prints"], line["run"]
        assert not NEVER.search(heard.out + heard.err), line["run"]


def test_every_message_of_a_query_has_its_place_in_it():
    for case in QUERIES:
        if case.kind == "compile" and not case.codes:
            assert re.search(r"\n  line \d+, column \d+\n  \| .*\n  \| +\^+\n", case.says), (
                case.says
            )


def test_messages_have_one_form():
    told = [line for case in COMMANDS for line in case.lines if line["code"] in (2, 3)]
    for says in [c.says for c in QUERIES] + [line["says"] for line in told]:
        errors = [line for line in says.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, says
        assert re.match(r"error: ([a-z0-9_'{*-]|[A-Z]{2}|[A-Z] |CAST|\|\|)", errors[0]), says
        assert not errors[0].endswith("."), says
