"""Reads followed files look by look: what happens to the files happens between two looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamql.connectors.contract import Position
from streamql.connectors.follow import FollowedFiles
from streamql.connectors.following import Following
from streamql.formats.catalog import Format

FOLLOWERS: list[Follower] = []
"""Those that a test has to close."""

Step = Callable[[], Any]


@dataclass
class Follower:
    """A reader of followed files that can be started again where it stopped."""

    path: Path | str
    options: dict[str, str] = field(default_factory=dict)
    quiet: float = 60.0
    strict: bool = False
    block_bytes: int = 4 << 20
    warnings: list[str] = field(default_factory=list)
    position: Position | None = None

    def __post_init__(self) -> None:
        self.start()
        FOLLOWERS.append(self)

    def start(self) -> None:
        """Open the files where the reader before stopped."""
        layout = Format(**{"name": None, "block_bytes": self.block_bytes} | self.options)
        following = Following(0.5, self.quiet, self.strict, self.warnings.append, self._waited)
        self._reader = FollowedFiles(str(self.path), layout, following).open(position=self.position)

    def _waited(self, _seconds: float) -> None:
        self._ended = True

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def restart(self) -> None:
        """Stop, and start again from the position."""
        self._reader.close()
        self.start()

    def look(self) -> list[tuple[int, Any]]:
        """Return the numbers and values of the events that one look finds."""
        found: list[tuple[int, Any]] = []
        self._ended = False
        while not self._ended:
            for block in self._reader.read() or ():
                rows = zip(block.events.tolist(), block.rows.record().to_pylist(), strict=True)
                bad = ((b.event, b.reason) for b in block.bad)
                found += sorted([*rows, *bad], key=lambda event: event[0])
            self.position = self._reader.position()
        self.position = self._reader.position()
        return found

    def looks(self, steps: Iterable[Step]) -> list[list[tuple[int, Any]]]:
        """Return what is found in the first look, and after each step."""
        found = [self.look()]
        for step in steps:
            step()
            found.append(self.look())
        return found


def append(path: Path, text: str | bytes) -> None:
    """Add to a file."""
    with path.open("ab") as file:
        file.write(text.encode() if isinstance(text, str) else text)
