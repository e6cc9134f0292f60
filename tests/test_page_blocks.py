"""What runs the blocks of pages: forms are unfolded, output is compared, directives are known."""

from __future__ import annotations

import page_blocks
import page_forms
import pytest
from page_worlds import World, unlike

FORMS = [
    ("run Q", ["run Q"]),
    ("run Q [--quiet]", ["run Q", "run Q --quiet"]),
    ("run Q [--input [NAME=]URI]...", ["run Q", "run Q --input URI", "run Q --input NAME=URI"]),
    ("run (Q | -q TEXT) [-o F]", ["run Q", "run -q TEXT", "run Q -o F"]),
    ("run [--a F | --b G]", ["run", "run --a F", "run --b G"]),
    ("run [--format text|json] x", ["run x", "run --format text x", "run --format json x"]),
    ("run [--c D [--d] [--e]]", ["run", "run --c D", "run --c D --d", "run --c D --e"]),
    ("check|explain --help", ["check --help", "explain --help"]),
]


@pytest.mark.parametrize(("form", "commands"), FORMS)
def test_a_form_is_tried_with_each_of_its_parts(form, commands):
    assert page_forms.commands(form) == commands


SAME = [
    ("3 events, 0.01 s\n", "3 events, 12.5 s\n", False),
    ("mean 1.25\n", "mean 1.3\n", False),
    ("time ...Z, 3 rows\n", "time 12:30Z, 3 rows\n", False),
    ("a\n...\nz\n", "a\nb\nc\nz\n", False),
    ("a\n  ...\nz\n", "a\nz\n", False),
    ("██▌ 1,200 of  8\n", "█▏ 90 of 12\n", True),
]
OTHER = [
    ("3 events, 0.01 s\n", "4 events, 0.01 s\n", False),
    ("a\nb\n", "a\n", False),
    ("a\n", "a\nb\n", False),
    ("a\n...\nz\n", "a\nb\n", False),
    ("a ...\n", "b c\n", False),
    ("1 of 8\n", "90 in 12\n", True),
]


@pytest.mark.parametrize(("shown", "found", "figures_vary"), SAME)
def test_what_differs_elsewhere_is_left_out(shown, found, figures_vary):
    assert unlike(shown, found, figures_vary) == ""


@pytest.mark.parametrize(("shown", "found", "figures_vary"), OTHER)
def test_other_output_is_told(shown, found, figures_vary):
    assert "found:" in unlike(shown, found, figures_vary)


@pytest.mark.parametrize(
    "comment", ["transcripts: empty", "commands: empty; than: true", "a remark", "commands"]
)
def test_a_directive_that_does_not_exist_is_told(comment, tmp_path, monkeypatch):
    monkeypatch.setattr(page_blocks, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {comment} -->\n```\nls\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        page_blocks.blocks(page)


def test_a_command_line_goes_on_behind_a_backslash():
    assert page_blocks.command_lines("a --b \\\n    --c   # d\n\n# e\nf\n") == [
        "a --b --c   # d",
        "f",
    ]
    assert page_blocks.without_remark("a --b '#c'   # d") == "a --b '#c'"


def test_a_world_goes_on_where_a_command_left_it(tmp_path):
    world = World("gross", tmp_path, lambda: None)
    assert world.run("cd functions && ls") == (0, "_lib.js\ngross.js\n")
    assert world.run("ls | head -n 1; false") == (1, "_lib.js\n")
    world.write("more/other.js", "1")
    assert world.run("cat more/other.js; exit 3") == (3, "1")
    assert world.run("cd .. && echo said >&2") == (0, "said\n")
