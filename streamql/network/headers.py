"""Headers of requests: what a user may set, and the secrets among them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .secret import Secret

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SECRET_HEADER = re.compile(r"authori[sz]ation|key|token|secret|password|cookie|credential", re.I)
_OWN_HEADERS = frozenset({"content-type", "content-length", "host", "transfer-encoding"})


def read_header(name: str, value: str) -> str | Secret:
    """Read a header's value. Raises ValueError with what would fit."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("a header's name after header., e.g. header.x-team=rides")
    if name.lower() in _OWN_HEADERS:
        raise ValueError(f"no value: {name} is set by the request itself")
    if value.startswith(("env:", "file:")) or _SECRET_HEADER.search(name):
        return Secret.refer(value)
    if not value.isascii() or not value.isprintable():
        raise ValueError("a value of printable ASCII characters")
    return value


def headers_of(
    given_headers: Mapping[str, str | Secret], key: Secret | None
) -> tuple[dict[str, str], list[str]]:
    """Return the headers of all requests, and the secrets among them."""
    headers = {"content-type": "application/json", "user-agent": "streamql"}
    secrets: list[str] = []
    for name, given in given_headers.items():
        value = given.value() if isinstance(given, Secret) else given
        headers[name.lower()] = value
        if isinstance(given, Secret):
            secrets.append(value)
            # a server that repeats "Bearer abc" may as well repeat abc
            secrets.extend(part for part in value.split() if len(part) >= 8)
    if key is not None:
        word = key.value()
        headers["authorization"] = f"Bearer {word}"
        secrets.append(word)
    return headers, secrets
