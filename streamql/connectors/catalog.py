"""The connectors: which one a URI means."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import UsageError, suggest
from ..formats.catalog import Format, flag_named
from .console import ConsoleSink, ConsoleSource
from .contract import AT_LEAST_ONCE, EXACTLY_ONCE, Sink, Source
from .file import FileSource, is_regular
from .filesink import open_file_sink
from .following import Following
from .uri import Uri, parse_uri, shown

SCHEMES = ("file",)
"""The schemes the URI of an input may have; `-` alone is standard input or output."""

SINK_SCHEMES = ("file", "sqlite", "postgresql", "http", "https")
"""The schemes the URI of an output may have."""


def open_source(
    text: str,
    options: Mapping[str, str] | None = None,
    block_bytes: int | None = None,
    follow: bool = False,
    following: Following | None = None,
    event_bytes: int | None = None,
    depth: int | None = None,
) -> Source:
    """Return the source a URI means; `options` win over those in the URI.

    `block_bytes` are read at a time; an event of more than `event_bytes`, or of JSON nested
    deeper than `depth`, is malformed. With `follow`, or where the URI says so, files are followed.
    """
    uri = parse_uri(text)
    given = {**uri.options, **(options or {})}
    follow = flag_named("follow", given.pop("follow", str(follow)))
    layout = Format.of_options(given)
    if block_bytes is not None:
        layout = replace(layout, block_bytes=block_bytes)
    if event_bytes is not None:
        layout = replace(layout, event_bytes=event_bytes)
    if depth is not None:
        layout = replace(layout, depth=depth)
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
            raise _unknown(uri, SCHEMES)


def open_sink(
    text: str,
    options: Mapping[str, str] | None = None,
    allowed_hosts: Sequence[str] | None = None,
    *,
    keep: bool = False,
) -> Sink:
    """Return the sink a URI means; `options` win over those in the URI.

    `allowed_hosts` are the hosts it may be on; None: any. With `keep`, in jobs with checkpoints,
    nothing that is there is replaced before `resume`.
    """
    uri = parse_uri(text)
    if uri.scheme not in ("file", "console", "sqlite"):
        _refuse_host(uri, allowed_hosts)
    uri = replace(uri, options={**uri.options, **(options or {})})
    # what talks to databases and servers is loaded by the jobs that do
    match uri.scheme:
        case "console":
            return ConsoleSink(Format.of_options(uri.options))
        case "file":
            layout = Format.of_options(uri.options)
            if keep and layout.of_file(uri.path).whole_file:
                from .parts import PartsSink

                return PartsSink(uri.path, layout.of_file(uri.path))
            return open_file_sink(uri.path, layout, keep=keep)
        case "sqlite":
            from .sqlite import open_sqlite_sink

            return open_sqlite_sink(uri)
        case "postgresql" | "postgres":
            from .postgres import open_postgres_sink

            return open_postgres_sink(uri)
        case "http" | "https":
            from .http_sink import open_http_sink

            return open_http_sink(uri)
        case _:
            raise _unknown(uri, SINK_SCHEMES)


def delivery_of(text: str) -> str:
    """Return what the sink that a URI means promises in jobs with checkpoints; opens nothing."""
    uri = parse_uri(text)
    match uri.scheme:
        case "sqlite" | "postgresql" | "postgres":
            from .tables import TableSink

            return TableSink.delivery
        case "file":  # what was written to a pipe or a device cannot be taken back
            own = is_regular(uri.path) or not os.path.exists(uri.path)
            return EXACTLY_ONCE if own else AT_LEAST_ONCE
        case _:
            return Sink.delivery


def _refuse_host(uri: Uri, allowed: Sequence[str] | None) -> None:
    """Raise UsageError when an output is on a host that is not allowed."""
    if allowed is None:
        return
    from ..network.hosts import host_of, is_allowed

    address = f"{uri.scheme}://{uri.path}"
    if not is_allowed(address, allowed):
        raise UsageError(
            f"the host {host_of(address)!r} is not among those that outputs may be on",
            hint=f"allowed_hosts is {', '.join(allowed) or 'none'}",
        )


def _unknown(uri: Uri, schemes: Sequence[str]) -> UsageError:
    known = ", ".join(f"{scheme}://" for scheme in schemes)
    hint = suggest(uri.scheme, schemes) or f"there are {known}, plain paths, and - for the console"
    return UsageError(f"no connector for {uri.scheme}:// (in {shown(uri.text)!r})", hint=hint)
