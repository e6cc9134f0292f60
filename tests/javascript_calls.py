"""Calls of JavaScript functions, as the tests make them."""

import pytest

from streamql.column import from_values
from streamql.errors import FunctionError
from streamql.udf.javascript import load_function

ECHO = "function f(x) { return x; }"


def call(runtime, source, *arguments, **options):
    """Call the function `f` of a file with lists of values; return the result's column."""
    function = load_function("f", source, "f.js", runtime, **options)
    columns = [from_values(a) if isinstance(a, list) else a for a in arguments]
    return function.call(columns, len(columns[0]) if columns else 1)


def failure(runtime, source, *arguments):
    with pytest.raises(FunctionError) as caught:
        call(runtime, source, *arguments)
    return caught.value
