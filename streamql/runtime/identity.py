"""What a checkpoint belongs to: the query, its functions, and the settings that change results.

State of one query means nothing to another. A checkpoint is continued by the same query (comments
and spaces do not matter) with the same functions only.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError
from ..udf.fingerprint import BETWEEN

_AROUND = 3
"""Words before and after a difference that a message shows."""
_SHOWN = 12
"""Words of a difference that a message shows."""
ANEW = "--from-start begins anew, without the old state"


@dataclass(frozen=True)
class Identity:
    """What decides which rows a job puts out, its inputs apart.

    Attributes:
        query: its text as the printer writes it.
        functions: for each user function that the query calls, what it is made of: kind and hash.
        settings: those that change results, as text.
    """

    query: str
    functions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return plain values for the manifest."""
        return {
            "query": self.query,
            "functions": dict(self.functions),
            "settings": dict(self.settings),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Identity:
        """Return what `plain` was made of."""
        return cls(plain["query"], plain["functions"], plain["settings"])


def refuse_changed(old: Identity, new: Identity, place: str, allow_functions: bool) -> None:
    """Raise UsageError when a checkpoint is of another job, saying what has changed."""
    if old.query != new.query:
        was, now = _difference(old.query, new.query)
        raise UsageError(
            f"the checkpoints in {place} are of another query: where they have {was}, "
            f"this one has {now}",
            hint=f"{ANEW}; or give the new query a directory of its own",
        )
    settings = sorted({**old.settings, **new.settings})
    for name in settings:
        was, now = (i.settings.get(name, "not set") for i in (old, new))
        if was != now:
            raise UsageError(
                f"the checkpoints in {place} were taken with {name} {was}, now it is {now}",
                hint=f"--set {name}={was} continues; {ANEW}",
            )
    changed = [
        name + _files(old.functions.get(name, ""), new.functions.get(name, ""))
        for name in sorted({**old.functions, **new.functions})
        if old.functions.get(name) != new.functions.get(name)
    ]
    if changed and not allow_functions:
        names = ", ".join(changed)
        has = "has" if len(changed) == 1 else "have"
        raise UsageError(
            f"{names} {has} changed since the checkpoints in {place} were taken",
            hint=f"--allow-changed-functions continues with the new ones; {ANEW}",
        )


def _files(old: str, new: str) -> str:
    """Return which of the files that a function is made of differ, as a message says it."""
    before, after = (fingerprint.split(BETWEEN) for fingerprint in (old, new))
    if before[0] != after[0]:
        return ""
    names = {part.rpartition(" ")[0] for part in set(before) ^ set(after)}
    return f" ({', '.join(sorted(names))})" if names else ""


def _difference(old: str, new: str) -> tuple[str, str]:
    """Return the first difference of two texts, with some words around it."""
    before, after = old.split(), new.split()
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            return _shown(before, a, b), _shown(after, c, d)
    return "one spelling", "another"


def _shown(words: list[str], start: int, stop: int) -> str:
    """Return words with those around them, in quotes."""
    first, last = max(start - _AROUND, 0), min(stop + _AROUND, len(words))
    shown = words[first:last]
    if len(shown) > _SHOWN:
        shown, last = [*shown[:_SHOWN]], 0
    text = " ".join(shown)
    return f"'{'... ' if first else ''}{text}{' ...' if last < len(words) else ''}'"
