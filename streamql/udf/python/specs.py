"""How Python functions are named: by the user's `name=`, by themselves, and by a text."""

from __future__ import annotations

from typing import Any

from ...errors import UsageError


def is_python(spec: str) -> bool:
    """Tell whether `--function ALIAS=SPEC` names a Python object: MODULE:NAME or FILE.py:NAME."""
    place, colon, name = spec.rpartition(":")
    if not colon or not name.isidentifier():
        return False
    return place.endswith(".py") or all(part.isidentifier() for part in place.split("."))


def function_name(python: Any, name: str | None) -> str:
    """Return the name of a function in queries. Raises UsageError when it has none that fits."""
    found = str(name or getattr(python, "__name__", ""))
    if not found.isidentifier():
        raise UsageError(
            f"{found or type(python).__name__} is no name of a function",
            hint="give it one: engine.function(..., name='clean')",
        )
    return found
