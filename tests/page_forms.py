"""Forms of commands, as pages show them: `streamql run QUERY [--input [NAME=]URI]... [--quiet]`."""

from __future__ import annotations

import re

_PARTS = re.compile(r"\[|\]|\(|\)|\.\.\.| \| |[^][()|. ]+(?:\|[^][()|. ]+)+|.")
Item = str | tuple[bool, list["list[Item]"]]
"""Text, or whether a group is optional and the forms of which it takes one."""


def commands(form: str) -> list[str]:
    """Return the form without its optional parts, and once with each of them.

    Of parts with alternatives (`a | b`, or `a|b` of words) it has each, and a part within a part is
    once there and once not. What may be repeated (`...`) is there once.
    """
    items = _parse(iter(_PARTS.findall(" ".join(form.split()))), "")[0]
    return [" ".join(text.split()) for text in _variants(items)]


def _parse(parts, closing: str) -> list[list[Item]]:
    forms: list[list[Item]] = [[]]
    for part in parts:
        if part == closing:
            return forms
        if part in "[(":
            forms[-1].append((part == "[", _parse(parts, {"[": "]", "(": ")"}[part])))
        elif part == " | ":
            forms.append([])
        elif "|" in part:
            forms[-1].append((False, [[word] for word in part.split("|")]))
        elif part != "...":
            forms[-1].append(part)
    assert not closing, f"no {closing}"
    return forms


def _variants(items: list[Item]) -> list[str]:
    choices = [_choices(item) for item in items]
    plain = "".join(choice[0] for choice in choices)
    found = [plain]
    for place, choice in enumerate(choices):
        before = "".join(c[0] for c in choices[:place])
        behind = "".join(c[0] for c in choices[place + 1 :])
        found += [before + other + behind for other in choice[1:]]
    return found


def _choices(item: Item) -> list[str]:
    if isinstance(item, str):
        return [item]
    optional, forms = item
    made = [text for form in forms for text in _variants(form)]
    return ["", *made] if optional else made
