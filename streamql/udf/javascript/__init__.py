"""Functions written in JavaScript, run in V8: one call per batch, never per row.

`engine` owns the isolate and its limits, `prelude.js` is what lives in it before user code,
`surroundings.js` its console and clock, `runtimes` has one for each set of limits, `transport`
carries columns in and out, `script` loads a file, `function` is what a query calls.
Functions keep no state that a row may see: a variable at the top of a file lives as long as the
isolate, which may be replaced between any two batches, so nothing may depend on it. `aggregate` and
`aggregate.js` are the same for user aggregates, `portions` says which rows go into one call.
"""

from .aggregate import is_aggregate, load_aggregate
from .engine import JavaScriptRuntime
from .function import JavaScriptFunction, load_function
from .runtimes import Runtimes
from .script import SourceFile

__all__ = [
    "JavaScriptFunction",
    "JavaScriptRuntime",
    "Runtimes",
    "SourceFile",
    "is_aggregate",
    "load_aggregate",
    "load_function",
]
