"""Which hosts a job may talk to: what its operator allows."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432}


def is_allowed(url: str, allowed: Sequence[str]) -> bool:
    """Tell whether the host of a URL is one of the allowed ones.

    `models.local` allows all ports of a host, `models.local:5001` one, `*.example.com` all hosts
    below example.com (not itself).
    """
    parts = urlsplit(url)
    host = host_of(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        port = None  # told as no URL of a model
    return any(_fits(pattern, host, port) for pattern in allowed)


def host_of(url: str) -> str:
    """Return the host of a URL, without a dot at its end."""
    return (urlsplit(url).hostname or "").rstrip(".")


def _fits(pattern: str, host: str, port: int | None) -> bool:
    name, colon, wanted = pattern.rpartition(":")
    if not colon or pattern.endswith("]"):
        name, wanted = pattern, ""
    if wanted and wanted != str(port):
        return False
    name = name.strip("[]").rstrip(".")
    return host.endswith(name[1:]) if name.startswith("*.") else host == name
