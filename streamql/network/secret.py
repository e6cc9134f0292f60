"""Secrets: kept in the environment or in a file, never in a URL, a setting or a message."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

ADVICE = "put it into an environment variable and say env:NAME, or into a file and say file:PATH"
"""What to do about a secret that was written where a message could show it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by the place where it is kept; its value is read when it is used, never shown."""

    kind: str
    place: str

    @staticmethod
    def refer(value: str) -> Secret:
        """Read `env:NAME` or `file:PATH`; a literal is refused."""
        kind, colon, place = value.partition(":")
        if kind not in ("env", "file") or not colon or not place:
            # the text is not repeated: it may be the secret itself
            raise ValueError("env:NAME or file:PATH; a literal secret is refused")
        return Secret(kind, place)

    def value(self) -> str:
        """Return the secret. Raises UsageError that names the place when there is none."""
        if self.kind == "env":
            found = os.environ.get(self.place, "")
            if not found:
                raise UsageError(
                    f"the environment variable {self.place} is not set",
                    hint=f"it holds a secret that a setting names: export {self.place}=...",
                )
        else:
            try:
                found = Path(self.place).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8"
                raise UsageError(f"cannot read the secret in {self.place}: {reason}") from None
        if not found or not found.isascii() or not found.isprintable():
            raise UsageError(f"the secret in {self.kind}:{self.place} is empty or not one line")
        return found
