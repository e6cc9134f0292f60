"""Write the part of language.md that is made from the functions' own documentation.

python docs/generate.py
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from streamql.functions.documented import Entry, entries

PAGE = Path(__file__).parent / "language.md"
_BEGIN = "<!-- made by docs/generate.py from the functions' documentation -->\n"
_END = "<!-- end of what is made -->\n"
_TRUTH = {"1": "true", "0": "false", "NULL": "unknown"}
_VALUES = ("NULLIF", "COALESCE", "CASE")


def page(text: str) -> str:
    """Return the page with the part between the two marks made anew."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{functions()}\n{_END}{after}"


def functions() -> str:
    """Return all functions in Markdown: a heading for each family, a section for each function."""
    known = entries()
    parts = [index(known)]
    family = ""
    for entry in known:
        if entry.family != family:
            family = entry.family
            parts.append(f"### {family[0].upper()}{family[1:]}\n")
        parts.append(section(entry))
    return "\n".join(parts)


def index(known: list[Entry]) -> str:
    """Return the names of all functions, those of a family in one line, each a link."""
    lines: dict[str, list[str]] = {}
    for entry in known:
        if re.fullmatch(r"[\w. ]+", entry.name):
            anchor = re.sub(r"[^\w ]", "", entry.name).lower().replace(" ", "-")
            lines.setdefault(entry.family, []).append(f"[{entry.name}](#{anchor})")
        else:
            lines.setdefault(entry.family, []).append(f"`{entry.name}`")
    return "\n".join(f"- {family}: {', '.join(names)}" for family, names in lines.items()) + "\n"


def section(entry: Entry) -> str:
    """Return the signatures, the documentation and the examples of one function."""
    usages = "  \n".join(f"`{usage}`" for usage in entry.usages)
    parts = [f"#### {_heading(entry.name)}\n\n{usages}\n\n{entry.text}\n"]
    if entry.calls:
        truth = is_condition(entry)
        shown = [(call, _TRUTH[value] if truth else literal(value)) for call, value in entry.calls]
        width = max(len(call) for call, _ in shown)
        lines = "\n".join(f"{call:{width}}  -- {value}" for call, value in shown)
        parts.append(f"```sql\n{lines}\n```\n")
    if entry.example is not None:
        query, rows, expected = entry.example
        parts.append(
            f"```sql\n{query}\n{_rows('in  input: ', rows)}{_rows('out output:', expected)}```\n"
        )
    return "\n".join(parts)


def is_condition(entry: Entry) -> bool:
    """Tell whether a query may write this only where a condition stands."""
    return entry.name == "LIKE" or (entry.family == "comparison" and entry.name not in _VALUES)


def literal(value: str) -> str:
    """Return a value as the page shows it: records and arrays as JSON."""
    return json.dumps(ast.literal_eval(value)) if value[0] in "{[" else value


def _heading(name: str) -> str:
    return name if re.match(r"\w", name) else f"`{name}`"


def _rows(label: str, rows: list[dict[str, object]]) -> str:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    first = f"-- {label} "
    rest = "--".ljust(len(first))
    return "".join(f"{first if i == 0 else rest}{line}\n" for i, line in enumerate(lines))


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
