"""StreamQL: the Azure Stream Analytics query language, anywhere Python runs.

Names are loaded when they are first used: `import streamql` alone takes a millisecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine import Engine
    from .errors import (
        BindError,
        CheckpointError,
        CompileError,
        DataError,
        FunctionError,
        InputError,
        InternalError,
        OutputError,
        ParseError,
        RunError,
        StreamqlError,
        UsageError,
    )
    from .result import Job, Result
    from .settings import Settings
    from .summary import JobSummary

    __version__: str

__all__ = [
    "BindError",
    "CheckpointError",
    "CompileError",
    "DataError",
    "Engine",
    "FunctionError",
    "InputError",
    "InternalError",
    "Job",
    "JobSummary",
    "OutputError",
    "ParseError",
    "Result",
    "RunError",
    "Settings",
    "StreamqlError",
    "UsageError",
    "__version__",
]

_HOMES = {
    "Engine": "engine",
    "Job": "result",
    "JobSummary": "summary",
    "Result": "result",
    "Settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name == "__version__":
        return _version()
    if name not in __all__:
        raise AttributeError(f"module 'streamql' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("streamql")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+checkout"
