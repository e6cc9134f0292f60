"""Python functions as functions of a query: scalar, aggregate and table functions.

Names are loaded when they are first used: a job without such functions does not wait for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregate import python_aggregate
    from .function import PythonFunction
    from .imports import load_python
    from .table import PythonTableFunction

__all__ = ["PythonFunction", "PythonTableFunction", "load_python", "python_aggregate"]

_HOMES = {
    "PythonFunction": "function",
    "PythonTableFunction": "table",
    "load_python": "imports",
    "python_aggregate": "aggregate",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
