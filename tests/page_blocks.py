"""The code blocks of the pages, and the directives above them that say how each is run.

A directive is a comment in the line above a block, which readers do not see:

    <!-- KIND: FOLDER; KEY: VALUE; ... -->       in a new world, made from the folder
    <!-- KIND goes on; KEY: VALUE; ... -->       in the world of the block before

| kind | the block |
|---|---|
| `transcript` | `$ command`, continued in lines with `> `, and below it all that it prints |
| `commands` | command lines, which must succeed |
| `forms` | forms with `[optional parts]`: the form without them, and with each of them, must succeed |
| `flags` | flags, one line after the other, added to a command of `page.toml` |
| `output` | what the command in the key `by` prints |
| `tree` | the files that are in a folder behind the command in `by`, with remarks |
| `file` | a file of the world, called as the key `name` says |
| `python` | Python; blocks of a page without a directive are one program as well |

Keys: `exit` is the exit code (of the last command), `then` a command that must succeed behind the
block, `figures: vary` leaves out all numbers when output is compared. In all output `...` stands
for anything, in a line of its own for any lines. `page_worlds.py` says what a folder is.

Blocks of SQL have tests of their own, which read the comments in them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = Path(__file__).parent / "pages"
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "samples").rglob("README.md")),
    *sorted((ROOT / "benchmarks").rglob("*.md")),
    *sorted((ROOT / "tests").rglob("README.md")),
]
KINDS = ("transcript", "commands", "forms", "flags", "output", "tree", "file", "python")
KEYS = ("exit", "then", "figures", "by", "name")
_BLOCK = re.compile(
    r"(?:^<!-- ([^\n]*) -->\n)?^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_DIRECTIVE = re.compile(r"(\w+)(?:: ([^;]+)| goes? on)((?:; [^;]+)*)")


@dataclass(frozen=True)
class Block:
    """A block of a page; without a directive its kind is empty."""

    page: str
    line: int
    language: str
    text: str
    kind: str = ""
    folder: str | None = None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it is, as the name of a test."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Unrun:
    """A command line of a page that is not run, and why."""

    page: str
    command: str
    kind: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        comment, language, body = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        made = Block(page.relative_to(ROOT).as_posix(), line, language, body)
        found.append(_directed(made, comment) if comment else made)
    return found


def _directed(block: Block, comment: str) -> Block:
    parts = _DIRECTIVE.fullmatch(comment)
    assert parts, f"{block.place}: no directive: {comment}"
    kind, folder, rest = parts.groups()
    keys = dict(item.split(": ", 1) for item in rest.split("; ")[1:])
    assert kind in KINDS, f"{block.place}: no kind of blocks: {kind}"
    assert set(keys) <= set(KEYS), f"{block.place}: no keys: {set(keys) - set(KEYS)}"
    return Block(block.page, block.line, block.language, block.text, kind, folder, keys)


def worlds(found: list[Block]) -> list[list[Block]]:
    """Return the blocks of a page that have a directive, by the world in which they are run."""
    made: list[list[Block]] = []
    for block in found:
        if not block.kind or block.kind == "python":
            continue
        if block.folder:
            made.append([])
        assert made, f"{block.place}: nothing was begun that it could go on with"
        made[-1].append(block)
    return made


def command_lines(text: str) -> list[str]:
    """Return the command lines of a block; remarks behind `#` belong to them."""
    joined = re.sub(r"\\\n *", "", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def without_remark(command: str) -> str:
    """Return a command line without spaces and the remark at its end."""
    return re.split(r"\s+#\s", command.strip())[0].strip()


def unrun() -> tuple[list[Unrun], dict[str, dict[str, str]]]:
    """Return the command lines that are not run, and the kinds of such lines."""
    said = tomllib.loads((FOLDERS / "unrun.toml").read_text(encoding="utf-8"))
    lines = [
        Unrun(page, command, kind)
        for kind in said
        for page, commands in said[kind]["pages"].items()
        for command in commands
    ]
    return lines, said
