"""Which hosts models may be on: what the operator of a job allows."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from ...errors import UsageError

_PORTS = {"http": 80, "https": 443}


def refuse_host(alias: str, url: str, allowed: Sequence[str]) -> None:
    """Raise UsageError when the host of a URL is none of the allowed ones.

    `models.local` allows all ports of a host, `models.local:5001` one, `*.example.com` all hosts
    below example.com (not itself).
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    try:
        port = parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        port = None  # told as no URL of a model
    if any(_fits(pattern, host, port) for pattern in allowed):
        return
    known = ", ".join(allowed) or "none"
    raise UsageError(
        f"udf.{alias}: the host {host!r} is not among those that models may be on",
        hint=f"allowed_hosts is {known}",
    )


def _fits(pattern: str, host: str, port: int | None) -> bool:
    name, colon, wanted = pattern.rpartition(":")
    if not colon or pattern.endswith("]"):
        name, wanted = pattern, ""
    if wanted and wanted != str(port):
        return False
    name = name.strip("[]").rstrip(".")
    return host.endswith(name[1:]) if name.startswith("*.") else host == name
