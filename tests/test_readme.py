"""The README opens as it should, the page of settings has them all, and links lead somewhere."""

from __future__ import annotations

import dataclasses
import re

from page_blocks import PAGES, ROOT, blocks, command_lines, without_remark

from streamql.settings import Settings


def test_readme_opens_with_the_two_commands():
    first = blocks(ROOT / "README.md")[0]
    commands = [without_remark(line) for line in command_lines(first.text)]
    assert commands == ["make demo", "make test"]


def test_docs_list_every_setting():
    page = (ROOT / "docs" / "cli.md").read_text()
    for setting in dataclasses.fields(Settings):
        if setting.name != "functions":
            assert f"`{setting.name}`" in page


def test_no_link_leads_nowhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_link_leads_to_a_heading_that_is_not_there():
    for page in PAGES:
        for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            text = (page.parent / target).read_text() if target else page.read_text()
            headings = [
                re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
                for title in re.findall("^#+ (.*)$", text, re.MULTILINE)
            ]
            assert heading in headings, f"{page.name}: {target}#{heading}"
