"""Where a model is, what can be asked there, and what was found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import orjson

from .signature import Signature


@dataclass(frozen=True)
class Question:
    """A request that finds something out: a GET, or a POST of `{}`."""

    url: str
    method: str = "GET"


@dataclass(frozen=True)
class Reply:
    """What came back: a status (None: nothing came, `said` tells why) and a body."""

    status: int | None
    body: bytes = b""
    said: str = ""

    @property
    def json(self) -> Any:
        """The parsed body of an answer 200; None for all else."""
        if self.status != 200:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True)
class Found:
    """What a server told: settings of the protocol, and the signature if it publishes one."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    signature: Signature | None = None


@dataclass(frozen=True)
class Place:
    """The URL of a model as the user gave it, and the user's settings of protocols."""

    url: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path, "" for none; without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")

    def at(self, path: str) -> str:
        """Return the URL of a path on the same host. The query is kept for the model only."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def with_path(self, path: str) -> str:
        """Return the model's URL with another path."""
        return urlunsplit(urlsplit(self.url)._replace(path=path))

    def beside(self, name: str) -> list[str]:
        """Return the URLs of a file beside the model and in the folders above, nearest first."""
        folders = self.path.split("/")[:-1] or [""]
        found = ["/".join([*folders[:count], name]) for count in range(len(folders), 0, -1)]
        return [self.at(path if path.startswith("/") else f"/{path}") for path in found]

    def split(self, mark: str) -> tuple[str, str | None]:
        """Return the path before a mark such as `/v2/models/`, and the model's name after it.

        Without the mark the model is that of the settings (None when they say none).
        """
        before, found, rest = self.path.partition(mark)
        if found:
            return before, unquote(rest.split("/")[0].split(":")[0]) or None
        given = self.settings.get("model")
        version = mark.removesuffix("/models/")
        before = before.removesuffix("/models").removesuffix(version)
        return before, None if given is None else str(given)

    def of_model(self, mark: str, verb: str, model: str | None) -> str:
        """Return the URL of a model below a mark such as `/v2/models/`; `verb` is its end.

        A URL that is below one already gets the end, one with another path stays as it is. Raises
        ValueError with what is missing.
        """
        before, named = self.split(mark)
        if mark in self.path:
            return self.with_path(self.path.removesuffix(verb) + verb)
        model = model or named
        if model is not None:
            return self.with_path(f"{before}{mark}{escaped(model)}{verb}")
        if not self.path:
            raise ValueError(f"the setting model=NAME, or a URL with {mark}NAME{verb}")
        return self.url


def escaped(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")
