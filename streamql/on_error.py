"""What happens to a row for which a function fails: `fail`, `null`, `default: VALUE`, ..."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson


class OnError(Enum):
    """What happens to a row that cannot be scored, or for which a function fails."""

    FAIL = "fail"
    NULL = "null"
    DEFAULT = "default"
    SKIP = "skip"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True)
class Policy:
    """What happens to such a row, and the value it gets with DEFAULT."""

    action: OnError = OnError.FAIL
    default: Any = None

    @property
    def drops(self) -> bool:
        """Whether such a row leaves the stream."""
        return self.action in (OnError.SKIP, OnError.DEAD_LETTER)


def policy(value: str) -> Policy:
    """Read a policy. Raises ValueError with what would fit."""
    word, colon, rest = value.partition(":")
    word = word.strip().lower()
    if word == OnError.DEFAULT.value:
        if not rest.strip():
            raise ValueError("default: VALUE (a JSON value or a text), e.g. default: 0")
        try:
            return Policy(OnError.DEFAULT, orjson.loads(rest.strip()))
        except orjson.JSONDecodeError:
            return Policy(OnError.DEFAULT, rest.strip())
    if colon or word not in {action.value for action in OnError}:
        raise ValueError("fail, null, default: VALUE, skip or dead_letter")
    return Policy(OnError(word))


def policy_text(value: Any) -> str:
    """Return the text of a policy that `policy` reads. Raises ValueError as it does."""
    text = str(value).strip()
    policy(text)
    return text
