"""How flags are read: NAME=URI, KEY=VALUE, and the query itself."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError

_NAMED = re.compile(r"(?:([^\W\d]\w*)|\[([^\]]+)\])=(.*)", re.DOTALL)
_USER_CALL = re.compile(r"\bud[fa]\b|\[ud[fa]\]|\"ud[fa]\"", re.IGNORECASE)
_QUERY_LIKE = re.compile(r"\s*(select|with|create)\s", re.IGNORECASE)


def split_name(value: str) -> tuple[str | None, str]:
    """Return the name and the URI of `[NAME=]URI`.

    Only a leading identifier (or `[any text]`) is a name, since a URI may contain `=` itself; a
    file that is called exactly so wins.
    """
    found = _NAMED.fullmatch(value)
    if found is None or Path(value).exists():
        return None, value
    return found[1] or found[2], found[3]


def bindings(flag: str, values: Iterable[str]) -> tuple[str | None, dict[str, str]]:
    """Return the URI given without a name, and those with one.

    Raises UsageError where a name, or no name, is given twice, or a URI is empty.
    """
    plain: str | None = None
    named: dict[str, str] = {}
    taken: set[str] = set()
    for value in values:
        name, uri = split_name(value)
        uri = here(uri)
        if not uri:
            raise UsageError(f"{flag} {value}: the URI is empty", hint="write NAME=URI")
        if name is None:
            if plain is not None:
                raise UsageError(
                    f"{flag} is given twice without a name: {plain} and {uri}",
                    hint=f"write {flag} NAME={plain} {flag} NAME={uri}",
                )
            plain = uri
            continue
        if name.lower() in taken:
            files = f"several files are one input as a pattern: --input {name}='data/*.jsonl'"
            hint = files if flag == "--input" else None
            raise UsageError(f"{flag} {name}=... is given twice", hint=hint)
        taken.add(name.lower())
        named[name] = uri
    return plain, named


def here(uri: str) -> str:
    """Return a URI with a path that may be written as on Windows as it is written here."""
    if "\\" not in uri:
        return uri
    from ..projects.toml import uri_from

    return uri_from(Path(), uri)


def references(values: Iterable[str]) -> dict[str, str]:
    """Return the URIs of `--reference NAME=URI` by name. Raises UsageError without a name."""
    plain, named = bindings("--reference", values)
    if plain is not None:
        raise UsageError(f"--reference {plain} has no name", hint=f"write --reference NAME={plain}")
    return named


def pairs(flag: str, form: str, values: Iterable[str]) -> dict[str, str]:
    """Return `KEY=VALUE` flags by key, cut at the first `=`. A later one wins.

    Raises UsageError that shows the `form` when there is no key or no `=`.
    """
    found: dict[str, str] = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{flag} {value}: not of the form {form}")
        found[key.strip()] = rest
    return found


def json_text(flag: str, value: str) -> str:
    """Return a JSON value as compact text. Raises UsageError."""
    import orjson

    try:
        return orjson.dumps(orjson.loads(value)).decode()
    except orjson.JSONDecodeError as error:
        raise no_json(flag, value, error) from None


def no_json(flag: str, value: str, error: json.JSONDecodeError) -> UsageError:
    """Return the error of a flag that is to be JSON and is not."""
    said = f"{error.msg[:1].lower()}{error.msg[1:]}".partition(": line ")[0]
    return UsageError(
        f"{flag} {value} is not JSON: {said} (character {error.pos + 1})",
        hint="a text is quoted twice: '\"Mon\"'",
    )


def present(**flags: str | None) -> dict[str, str]:
    """Return the flags that are given, as settings of the same names."""
    return {name: value for name, value in flags.items() if value is not None}


def functions(values: Iterable[str]) -> dict[str, str]:
    """Return `--function ALIAS=SPEC` by alias; `udf.` or `uda.` may stand before the alias."""
    found = pairs("--function", "ALIAS=SPEC", values)
    aliases = {
        re.sub(r"^ud[af]\.", "", key, flags=re.IGNORECASE): here(v) for key, v in found.items()
    }
    for alias in aliases:
        if not re.fullmatch(r"[^\W\d]\w*", alias):
            raise UsageError(
                f"--function {alias}=...: {alias!r} is no function name",
                hint="a name begins with a letter, letters, digits and _ follow",
            )
    return aliases


def may_call(script: str, settings: Iterable[str], folders: Iterable[str] = ()) -> bool:
    """Tell whether a query may call user functions, or settings name one.

    Where it cannot, the functions of the folders, and V8 with them, need not be loaded. A call that
    lacks its `udf.` counts: the error can then say so.
    """
    if _USER_CALL.search(script) is not None or any("." in key for key in settings):
        return True
    names = [re.escape(path.stem) for folder in folders for path in Path(folder).glob("*.js")]
    called = rf"(?<!\w)(?:{'|'.join(names)})\s*\("
    return bool(names) and re.search(called, script, re.IGNORECASE) is not None


def read_query(file: str | None, text: str | None) -> str:
    """Return the query: the text given, a file's, or that of standard input (`-`).

    Raises UsageError when there is none, or two, or the file cannot be read.
    """
    if (file is None) == (text is None):
        found = "both a file and --query" if file else "neither a file nor --query"
        raise UsageError(
            f"a query is needed once, found {found}",
            hint="streamql run query.sql --input events.jsonl",
        )
    return text or "" if file is None else read_query_file(file)


def read_query_file(file: str) -> str:
    """Return the query in a file, or in standard input (`-`). Raises UsageError."""
    if file == "-":
        raw = sys.stdin.buffer.read()
    else:
        path = Path(file)
        if "\\" in file and not path.exists():  # written as on Windows
            path = Path(file.replace("\\", "/"))
        try:
            raw = path.read_bytes()
        except OSError as error:
            from ..projects.files import near

            hint: str | None = 'a query on the command line: --query "..."'
            if not _QUERY_LIKE.match(file):
                hint = near(file) if isinstance(error, FileNotFoundError) else None
            reason = (error.strerror or "unreadable").lower()
            raise UsageError(f"cannot read the query {file}: {reason}", hint=hint) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the query {file} is not UTF-8 text (byte {error.start + 1})", hint="save it as UTF-8"
        ) from None
