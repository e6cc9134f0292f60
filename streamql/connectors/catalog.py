"""The connectors: which one a URI means."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from ..errors import UsageError, suggest
from ..formats.catalog import Format, flag_named
from .console import ConsoleSink, ConsoleSource
from .contract import Sink, Source
from .file import FileSource, is_regular
from .filesink import open_file_sink
from .following import Following
from .uri import Uri, parse_uri

SCHEMES = ("file",)
"""The schemes a URI may have; `-` alone is standard input or output."""


def open_source(
    text: str,
    options: Mapping[str, str] | None = None,
    block_bytes: int | None = None,
    follow: bool = False,
    following: Following | None = None,
    event_bytes: int | None = None,
) -> Source:
    """Return the source a URI means; `options` win over those in the URI.

    `block_bytes` are read at a time; an event of more than `event_bytes` is malformed. With
    `follow`, or where the URI says so, files are followed.
    """
    uri = parse_uri(text)
    given = {**uri.options, **(options or {})}
    follow = flag_named("follow", given.pop("follow", str(follow)))
    layout = Format.of_options(given)
    if block_bytes is not None:
        layout = replace(layout, block_bytes=block_bytes)
    if event_bytes is not None:
        layout = replace(layout, event_bytes=event_bytes)
    match uri.scheme:
        case "console":
            return ConsoleSource(layout)
        case "file":
            path = os.path.expanduser(uri.path)
            if follow and (is_regular(path) or os.path.isdir(path)):  # a pipe is live by itself
                from .follow import FollowedFiles  # loaded for jobs that follow

                return FollowedFiles(uri.path, layout, following or Following())
            return FileSource(uri.path, layout)
        case _:
            raise _unknown(uri)


def open_sink(text: str, options: Mapping[str, str] | None = None) -> Sink:
    """Return the sink a URI means; `options` win over those in the URI."""
    uri = parse_uri(text)
    layout = Format.of_options({**uri.options, **(options or {})})
    match uri.scheme:
        case "console":
            return ConsoleSink(layout)
        case "file":
            return open_file_sink(uri.path, layout)
        case _:
            raise _unknown(uri)


def _unknown(uri: Uri) -> UsageError:
    known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
    hint = suggest(uri.scheme, SCHEMES) or f"there are {known}, plain paths, and - for the console"
    return UsageError(f"no connector for {uri.scheme}:// (in {uri.text!r})", hint=hint)
