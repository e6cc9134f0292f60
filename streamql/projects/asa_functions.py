"""Functions of Azure projects, in every spelling of their files.

| file                  | holds                                                                  |
|-----------------------|------------------------------------------------------------------------|
| `f.js`                | the function `f`                                                       |
| `f.js.json`, `f.json` | its name and types; the script beside it, in `JSCode`, or as templates |
| `f.json`              | a model: an endpoint, a key, how many rows and requests at a time      |
| `f.py`, `f.onnx`      | the model `f` as it runs here, where its `f.json` has no endpoint      |
| `f.json`              | a method of a C# library: it does not run here                         |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .files import find, read_text
from .project import AbsentFunction, Function, ScriptFunction, SpecFunction

_KINDS = ("jsfunctionconfig", "javascriptfunction", "csharpfunction", "mlfunction", "function")
_SCRIPTS = ("jscode", "script")
_PATHS = ("scriptpath", "jsfilepath", "jsfile", "scriptfile", "filepath", "file")
_STAND_INS = (".py", ".onnx")
"""What may lie beside the file of a model that has no endpoint."""


def is_function(content: Mapping[str, Any]) -> bool:
    """Tell whether a file describes a function."""
    kind = str(content.get("scripttype") or "").lower()
    known = {"jscode", "functioninputs", "outputtype", "methodname"} & content.keys()
    return (
        "function" in kind or kind in _KINDS or bool(known) or _deep(content, "binding") is not None
    )


def function_of(path: Path, content: Mapping[str, Any]) -> tuple[str, Function]:
    """Return the alias and the function that a file describes."""
    stem = path.name[: -len(".json")]
    alias = str(content.get("name") or stem.removesuffix(".js"))
    if content.get("methodname") or "csharp" in str(content.get("scripttype") or "").lower():
        return alias, AbsentFunction("a C# function, which needs .NET")
    code = _text(content, _SCRIPTS)
    if code is not None:
        beside = find(path.parent, code) if len(code) < 300 and "\n" not in code else None
        if beside is not None and beside.is_file():
            return alias, ScriptFunction(read_text(beside), str(beside))
        return alias, ScriptFunction(code, str(path))
    for name in (_text(content, _PATHS), stem, f"{stem}.js", f"{alias}.js"):
        script = find(path.parent, name) if name and name.lower().endswith(".js") else None
        if script is not None:
            return alias, ScriptFunction(read_text(script), str(script))
    written = _text(content, _PATHS)
    if written is not None and written.lower().endswith(".js"):
        return alias, AbsentFunction(f"{path.name} names {written}, which is not there")
    endpoint = _text(content, ("endpoint", "executeendpoint", "url", "scoringuri"))
    if endpoint is not None and endpoint.startswith(("http://", "https://")):
        return alias, SpecFunction(endpoint, _settings(content))
    for suffix in _STAND_INS:
        local = find(path.parent, f"{alias}{suffix}")
        if local is not None:
            return alias, SpecFunction(str(local))
    return alias, AbsentFunction("a model without an endpoint")


def _settings(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a model; of its key only where that is, never the key itself."""
    settings = {}
    key = _text(content, ("apikey", "key"))
    if key is not None and key.startswith(("env:", "file:")):
        settings["key"] = key
    for name, setting in (
        ("batchsize", "max_batch_count"),
        ("maxbatchcount", "max_batch_count"),
        ("numberofparallelrequests", "parallel_requests"),
    ):
        value = _deep(content, name)
        if isinstance(value, int) and value > 0:
            settings[setting] = str(value)
    return settings


def _text(content: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = _deep(content, name)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _deep(content: Any, name: str) -> Any:
    """Return the value of the first key of this name (in lower case) at any depth."""
    return next(_values(content, name), None)


def _values(content: Any, name: str) -> Iterator[Any]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            if str(key).lower() == name and value is not None:
                yield value
        for value in content.values():
            yield from _values(value, name)
