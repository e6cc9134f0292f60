"""The settings of a model on the command line: `--protocol`, and `--set` without its name."""

from __future__ import annotations

from collections.abc import Iterable

from . import arguments


def model_settings(model: str, protocol: str | None, settings: Iterable[str]) -> dict[str, str]:
    """Return the settings by name; a URL without a protocol is asked for it. Raises UsageError."""
    given = arguments.pairs("--set", "KEY=VALUE", settings)
    if protocol is not None:
        given["protocol"] = protocol
    elif "://" in model:
        given.setdefault("protocol", "auto")
    return given
