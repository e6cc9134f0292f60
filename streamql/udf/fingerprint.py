"""What user functions are made of, as short texts: a checkpoint tells by them what has changed."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BETWEEN = "; "
"""Stands between the parts of a fingerprint: the function, then the files it is made of."""

_DIGITS = 16
_BLOCK = 1 << 20
_MEANING = ("columns", "kind", "on_error", "protocol", "returns", "vectorized")
"""The settings of functions that change what a call gives; others change its speed or its way."""


def of_texts(kind: str, texts: Iterable[str]) -> str:
    """Return the fingerprint of a function that is made of these texts."""
    return f"{kind} {_hash(text.encode() for text in texts)}"


def of_file(kind: str, path: str) -> str:
    """Return the fingerprint of a function that a file is, with the files that this one names
    (`beside`), each by itself; of no file, of its name."""
    from .beside import beside

    try:
        parts = [f"{kind} {_hash_of_file(Path(path))}"]
        parts += [f"{name} {_hash_of_file(file)}" for name, file in beside(Path(path)).items()]
    except OSError:
        return f"{kind} {path}"
    return BETWEEN.join(parts)


def of_module(kind: str, name: str) -> str:
    """Return the fingerprint of a function in a module that has been imported."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return of_file(kind, file or name)


def of_model(spec: str) -> str:
    """Return the fingerprint of a model: its URL without what follows the path, or its file.

    What a server answers is not looked at.
    """
    if "://" not in spec:
        return of_file("model", spec)
    scheme, _, rest = spec.partition("://")
    place = rest.split("?", 1)[0].split("#", 1)[0]
    host, slash, path = place.partition("/")
    return f"model {scheme}://{host.rpartition('@')[2]}{slash}{path}"


def of_python(function: Any) -> str:
    """Return the fingerprint of a Python function or class: its text, else its code."""
    try:
        text = inspect.getsource(function).encode()
    except (OSError, TypeError):  # typed into an interpreter, or made of C
        code = getattr(function, "__code__", None)
        text = repr(code and (code.co_code, code.co_consts, code.co_names)).encode()
        if code is None:
            text = getattr(function, "__qualname__", type(function).__qualname__).encode()
    return f"python {_hash([text])}"


def with_settings(made: str, settings: Mapping[str, str]) -> str:
    """Return a fingerprint together with the settings that change what a call gives."""
    said = [f"{key}={settings[key]}" for key in _MEANING if key in settings]
    own, between, files = made.partition(BETWEEN)
    return " ".join([own, *said]) + between + files


def _hash_of_file(path: Path) -> str:
    """Return the hash of a file, which may be larger than memory."""
    found = hashlib.sha256(path.stat().st_size.to_bytes(8, "little"))
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return f"sha256:{found.hexdigest()[:_DIGITS]}"


def _hash(parts: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return f"sha256:{found.hexdigest()[:_DIGITS]}"
