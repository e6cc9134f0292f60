"""Python functions as functions of a query: scalar, aggregate and table functions."""

from .aggregate import python_aggregate
from .function import PythonFunction
from .imports import is_python, load_python
from .table import PythonTableFunction

__all__ = [
    "PythonFunction",
    "PythonTableFunction",
    "is_python",
    "load_python",
    "python_aggregate",
]
