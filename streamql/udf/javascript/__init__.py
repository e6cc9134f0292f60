"""Functions written in JavaScript, run in V8: one call per batch, never per row.

`engine` owns the isolate and its limits, `prelude.js` is what lives in it before user code,
`transport` carries columns in and out, `function` is what a query calls. Functions keep no state
that a row may see: a variable at the top of a file lives as long as the isolate, which may be
replaced between any two batches, so nothing may depend on it. User aggregates will load their
files through the same runtime.
"""

from .engine import JavaScriptRuntime
from .function import JavaScriptFunction, load_function

__all__ = ["JavaScriptFunction", "JavaScriptRuntime", "load_function"]
