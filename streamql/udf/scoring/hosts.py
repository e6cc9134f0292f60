"""Which hosts models may be on: what the operator of a job allows."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UsageError
from ...network.hosts import host_of, is_allowed


def refuse_host(alias: str, url: str, allowed: Sequence[str]) -> None:
    """Raise UsageError when the host of a URL is none of the allowed ones.

    `models.local` allows all ports of a host, `models.local:5001` one, `*.example.com` all hosts
    below example.com (not itself).
    """
    if is_allowed(url, allowed):
        return
    known = ", ".join(allowed) or "none"
    raise UsageError(
        f"udf.{alias}: the host {host_of(url)!r} is not among those that models may be on",
        hint=f"allowed_hosts is {known}",
    )
