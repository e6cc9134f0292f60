"""Where the figures of a job are served: HOST:PORT as it is written on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import UsageError

LOOPBACK = "127.0.0.1"
_FORM = re.compile(r"(?:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]*)):)?(\d{1,5})", re.ASCII)


@dataclass(frozen=True)
class Address:
    """A host and a port; port 0 stands for any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address_of(text: str) -> Address:
    """Return the address that `HOST:PORT`, `:PORT` or `PORT` means; without a host it is loopback.

    Raises UsageError.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or int(found[3]) > 65_535:
        raise UsageError(
            f"--metrics {text}: not of the form [HOST:]PORT",
            hint="--metrics 9464 serves on this machine alone, --metrics 0.0.0.0:9464 everywhere",
        )
    return Address(found[1] or found[2] or LOOPBACK, int(found[3]))
