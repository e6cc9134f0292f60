"""The settings of a model on the command line: `--protocol`, and `--set` without its name."""

from __future__ import annotations

from collections.abc import Iterable

import click

PROTOCOL = click.option(
    "--protocol", metavar="NAME", help="How the server is spoken to.  [default: auto]"
)
SETTINGS = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the function, as in a job but without its name.",
)
ALIAS = click.option("--alias", default="score", show_default=True, help="The function's name.")


def model_settings(model: str, protocol: str | None, settings: Iterable[str]) -> dict[str, str]:
    """Return the settings by name; a URL without a protocol is asked for it. Raises UsageError."""
    from . import arguments

    given = arguments.pairs("--set", "KEY=VALUE", settings)
    if protocol is not None:
        given["protocol"] = protocol
    elif "://" in model:
        given.setdefault("protocol", "auto")
    return given
