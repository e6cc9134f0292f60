"""URIs of inputs and outputs: `rides.jsonl`, `part-*.csv?delimiter=;`, `file:///x`, `-`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from ..errors import UsageError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_PAIR = r"[A-Za-z_][A-Za-z0-9_.-]*=[^&?]*"
_QUERY = re.compile(rf"(.*)\?({_PAIR}(?:&{_PAIR})*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI in its parts.

    Attributes:
        text: as the user wrote it, for messages.
        scheme: in lower case; "file" for a plain path, "console" for `-`.
        path: what follows the scheme; of a file the path.
        options: the `?key=value` pairs, decoded.
    """

    text: str
    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)


def shown(text: str) -> str:
    """Return a URI as messages may show it: no password in it."""
    return re.sub(r"(://[^/@?]*?):[^/?]*@", r"\1:***@", text)


def parse_uri(text: str) -> Uri:
    """Return the parts of a URI or path.

    A question mark starts options only if `key=value` follows it, so that it may stand in a
    pattern; a file that exists under the whole text is taken as it is. Plain paths are not decoded.
    """
    if not text.strip():
        raise UsageError("an empty path", hint="give a file, a directory, a pattern or -")
    if os.path.exists(text):
        return Uri(text, "file", text)
    path, options = text, {}
    query = _QUERY.fullmatch(text)
    if query is not None:
        path = query[1]
        for pair in query[2].split("&"):
            key, _, value = pair.partition("=")
            if key in options:
                raise UsageError(f"option {key} is given twice in {shown(path)!r}")
            options[key] = unquote(value)
    if path == "-":
        return Uri(text, "console", path, options)
    scheme = _SCHEME.fullmatch(path)
    if scheme is None:
        return Uri(text, "file", path, options)
    name, rest = scheme[1].lower(), scheme[2]
    if name == "file":
        rest = unquote(rest)
        if not rest.startswith("/"):
            host, slash, tail = rest.partition("/")
            if host not in ("", "localhost"):
                raise UsageError(
                    f"{text!r} names the host {host!r}", hint="write file:///path or the path alone"
                )
            rest = slash + tail
    return Uri(text, name, rest, options)
