"""Settings of a function as a person copies them: flags, and lines of `streamql.toml`."""

from __future__ import annotations

import json
import shlex


def to_copy(alias: str, spec: str, found: dict[str, str]) -> str:
    """Return the function and its settings in both forms."""
    flags = [f"--function {shlex.quote(f'{alias}={spec}')}"]
    flags += [f"--set {shlex.quote(f'{alias}.{name}={value}')}" for name, value in found.items()]
    lines = ["for `streamql run`:", *(f"  {flag} \\" for flag in flags[:-1]), f"  {flags[-1]}"]
    if not found:
        return lines[0] + "\n" + lines[1]
    lines += ["", "or in streamql.toml:", f"  [functions.{alias}]"]
    lines += [f"  {_key(name)} = {_toml(value)}" for name, value in found.items()]
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f'"{name}"'


def _toml(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
