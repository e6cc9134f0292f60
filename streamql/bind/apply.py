"""APPLY: which table functions of the user's it may call."""

from __future__ import annotations

from ..errors import BindError, suggest
from ..functions.table import TableFunction
from ..syntax import nodes as ast
from .scope import Environment


def table_function(call: ast.Call, environment: Environment) -> TableFunction | None:
    """Return the table function that `udf.alias` means; None for a call without `udf.`.

    Raises BindError when there is none, or when the function gives values instead of rows.
    """
    if [part.text.lower() for part in call.prefix] != ["udf"]:
        return None
    alias = call.name.text
    function = environment.registry.udf(alias)
    if isinstance(function, TableFunction):
        return function
    udfs = environment.registry.udfs
    if function is not None:
        raise BindError(
            f"udf.{alias} gives one value, and APPLY takes a function that makes rows",
            call.span,
            "a Python function that makes rows is registered with engine.table_function",
        )
    known = [f.name for f in udfs.values() if isinstance(f, TableFunction)]
    near = suggest(alias, known)
    listed = "there is " + ", ".join(f"udf.{name}" for name in known[:8]) if known else None
    hint = listed if near is None else near.replace("did you mean ", "did you mean udf.")
    raise BindError(f"unknown function udf.{alias}", call.span, hint)
