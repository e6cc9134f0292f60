"""A JavaScript function as a query calls it, and how one is made from a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ...column import Column, combine, concat, nulls
from ...errors import BindError, CompileError, FunctionError, Span
from ...functions.implicit import convert
from ...functions.registry import Function, Volatility
from ...types import JSON_TYPES, Type
from .engine import CallStopped, JavaScriptRuntime, ScriptError, decoded
from .results import decode
from .signature import Signature, candidates, is_volatile, signature
from .transport import FAILED, HEADER, TOO_LONG, encode, layout, loop_source, write

_MOST_ROWS = 131_072
_MOST_BYTES = 64 * 1024 * 1024
# what V8's compiler puts before the first line of a file
_LINES_BEFORE = 2
_V8_PLACE = re.compile(r"[^\n]*?:(\d+): ([^\n]*)\n([^\n]*)\n?( *)\^?")
_GOOD = "a function returns a number, text, boolean, Date, plain object, array or null"


@dataclass(frozen=True, slots=True)
class _Script:
    """One file and how to load it (again)."""

    id: int
    alias: str
    source: str
    source_name: str
    names: tuple[str, ...]

    @property
    def url(self) -> str:
        return f"streamql-udf-{self.id}"

    def load(self, runtime: JavaScriptRuntime) -> dict[str, dict[str, Any]]:
        """Run the file in V8 and return what is known of its functions, by name."""
        try:
            runtime.invoke("check", self.source)
            names = orjson.dumps(self.names).decode()
            found = decoded(runtime.invoke("load", self.id, self.source, names, self.url))
        except CallStopped as stopped:
            raise CompileError(
                f"{self.source_name}: {stopped.reason} while the file was loaded",
                hint=stopped.hint,
            ) from None
        except ScriptError as error:
            raise self._syntax_error(str(error), runtime) from None
        if "failure" in found:
            failure = decoded(found["failure"])
            raise CompileError(
                f"{self.source_name}: {failure['message']}, while the file was loaded",
                hint=self.place(failure["stack"]),
            )
        if found["functions"] is None:
            raise CompileError(
                f"{self.source_name}: a return statement outside of any function",
                hint="a file declares functions; the query calls one of them",
            )
        return {f["name"]: f for f in found["functions"]}

    def place(self, stack: str) -> str | None:
        """Return "at FILE line L, column C" for the innermost frame in this file."""
        frame = re.search(rf"\b{self.url}:(\d+):(\d+)", stack)
        if frame is None:
            return None
        line = int(frame[1]) - _LINES_BEFORE
        return f"at {self.source_name} line {line}, column {frame[2]}"

    def _syntax_error(self, said: str, runtime: JavaScriptRuntime) -> CompileError:
        lines = self.source.splitlines() or [""]
        found, before = _V8_PLACE.match(said), _LINES_BEFORE
        if found is not None and int(found[1]) - before > len(lines):
            # V8 stumbled over what the compiler puts behind the file; as a script the place shows
            try:
                runtime.invoke("place", self.source)
            except ScriptError as error:
                if "SyntaxError" in str(error).split("\n", 1)[0]:
                    found, before = _V8_PLACE.match(str(error)), 1
        if found is None:
            return CompileError(f"{self.source_name}: {said.strip().splitlines()[0]}")
        line, column = int(found[1]) - before, len(found[4]) + 1
        if line > len(lines) or "end of input" in found[2]:
            return CompileError(
                f"{self.source_name}, line {len(lines)}: {found[2]} at the end of the file",
                hint="a bracket, a text or a comment is not closed",
            )
        return CompileError(
            f"{self.source_name}, line {line}, column {column}: {found[2]}",
            hint=f"the line is: {lines[line - 1].strip()[:200]}",
        )


class JavaScriptFunction(Function):
    """A function of a file, called once per batch.

    Made by `load_function`. `returns` is the declared output type, None for whatever comes.
    """

    can_fail = True

    def __init__(
        self,
        script: _Script,
        entry: str,
        shape: Signature,
        runtime: JavaScriptRuntime,
        generation: int,
        returns: Type | None,
    ) -> None:
        self.name = script.alias
        self.source = script.source
        self.source_name = script.source_name
        self.returns = returns
        self.volatility = (
            Volatility.VOLATILE if is_volatile(script.source) else Volatility.IMMUTABLE
        )
        self._script = script
        self._entry = entry
        self._shape = shape
        self._runtime = runtime
        self._generation = generation
        self._loops: dict[tuple[str, ...], Any] = {}

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        if not self._shape.accepts(len(types)):
            raise BindError(
                f"udf.{self.name} takes {self._shape.counts()}, found {len(types)}",
                span,
                f"{self.source_name} declares {self._entry}({', '.join(self._shape.parameters)})",
            )
        return self.returns or Type.ANY

    def call(self, columns: Sequence[Column], count: int) -> Column:
        if count == 0:
            return nulls(0)
        same = all(c.constant for c in columns) and self.volatility is Volatility.IMMUTABLE
        if same and count > 1:
            one = self.call([c.first() for c in columns], 1)
            if one.type is Type.NULL:
                return nulls(count)
            return replace(one.take(np.zeros(count, np.int64)), constant=True)
        return self._declared(self._halves(columns, count, 0))

    def _halves(self, columns: Sequence[Column], count: int, start: int) -> Column:
        """Call with as many rows at once as fit into V8's limits."""
        size = sum(
            c.values.nbytes
            for c in columns
            if not c.constant and (c.type is Type.TEXT or c.type in JSON_TYPES)
        )
        if count <= _MOST_ROWS and (size <= _MOST_BYTES or count == 1):
            result = self._run(columns, count, start)
            if result is not None:
                return result
            if count == 1:
                raise FunctionError(f"udf.{self.name}: the result is longer than 512 MB", row=start)
        half = count // 2
        return concat(
            [
                self._halves([c.slice(0, half) for c in columns], half, start),
                self._halves(
                    [c.slice(half, count - half) for c in columns], count - half, start + half
                ),
            ]
        )

    def _run(self, columns: Sequence[Column], count: int, start: int) -> Column | None:
        """Return the results; None if they are too long for one text."""
        runtime = self._runtime
        arguments = [encode(c, runtime.bits_as_numbers) for c in columns]
        texts = [a.text for a in arguments if a.text is not None]
        with runtime.lock:
            try:
                memory = runtime.memory(layout(arguments, count))
                loop = self._loop(tuple(a.kind for a in arguments))
                write(memory, arguments, count)
                text = runtime.call(loop, count, *texts)
            except CallStopped as stopped:
                row = start + stopped.row
                raise FunctionError(
                    f"udf.{self.name}: {stopped.reason}, at row {stopped.row + 1:,} of the "
                    f"{count:,} of its batch",
                    hint=stopped.hint,
                    row=row,
                ) from None
            except ScriptError as error:
                raise FunctionError(f"udf.{self.name}: {str(error).splitlines()[0]}") from None
            status = int(memory[4:HEADER].view(np.int32)[0])
            if status == TOO_LONG:
                return None
            if status == FAILED:
                raise self._failure(decoded(text), start)
            return decode(memory, text, count, runtime.bits_as_numbers)

    def _loop(self, kinds: tuple[str, ...]) -> Any:
        """Return the compiled loop for these argument kinds, in the isolate of now."""
        if self._generation != self._runtime.generation:
            self._script.load(self._runtime)
            self._generation = self._runtime.generation
            self._loops.clear()
        loop = self._loops.get(kinds)
        if loop is None:
            loop = self._runtime.invoke("loop", self._script.id, self._entry, loop_source(kinds))
            self._loops[kinds] = loop
        return loop

    def _failure(self, failure: dict[str, Any], start: int) -> FunctionError:
        row = start + int(failure["row"])
        if failure["misfit"]:
            message = f"udf.{self.name} returned {failure['message']}, which has no SQL type"
            return FunctionError(message, hint=_GOOD, row=row)
        hint = self._script.place(failure["stack"])
        return FunctionError(
            f"udf.{self.name}: {failure['message']}", hint=hint or f"in {self.source_name}", row=row
        )

    def _declared(self, column: Column) -> Column:
        """Refuse results that are not of the declared type; a bigint is good for a float."""
        want = self.returns
        if want is None or want is Type.ANY or column.type in (want, Type.NULL):
            return column
        pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
        misfits: list[tuple[int, Type]] = []
        for rows, part in column.parts():
            if part.type in (want, Type.NULL):
                pieces.append((rows, part))
            elif want is Type.FLOAT and part.type is Type.BIGINT:
                pieces.append((rows, convert(part, want, self.name)))
            else:
                first = int(np.argmax(part.valid()))
                misfits.append((first if rows is None else int(rows[first]), part.type))
        if misfits:
            row, found = min(misfits, key=lambda m: m[0])
            raise FunctionError(
                f"udf.{self.name} returned '{found}', declared is '{want}'", row=row
            )
        return combine(len(column), pieces)


def load_function(
    alias: str,
    source: str,
    source_name: str,
    runtime: JavaScriptRuntime,
    returns: Type | None = None,
) -> JavaScriptFunction:
    """Return the function `udf.alias` of a file's text.

    The entry is `main`, else the function named like the alias (exactly, else ignoring case), else
    the only function. Raises CompileError with the file's line when the file does not load, and
    BindError when it has no entry.
    """
    script = _Script(runtime.new_id(), alias, source, source_name, candidates(source))
    with runtime.lock:
        functions = script.load(runtime)
        generation = runtime.generation
    entry = _entry(alias, source_name, list(functions))
    found = functions[entry]
    shape = signature(found["text"], int(found["length"]))
    if shape.kind != "function":
        raise BindError(
            f"{source_name}: {entry} is {shape.kind}, which cannot be called for a value",
            hint="declare a plain function",
        )
    return JavaScriptFunction(script, entry, shape, runtime, generation, returns)


def _entry(alias: str, source_name: str, names: Sequence[str]) -> str:
    """Return the name of the function to call."""
    if "main" in names:
        return "main"
    if alias in names:
        return alias
    like = [n for n in names if n.lower() == alias.lower()]
    if len(like) == 1:
        return like[0]
    if len(names) == 1:
        return names[0]
    if not names:
        raise BindError(
            f"{source_name} defines no function", hint=f"define function {alias}(...) in it"
        )
    raise BindError(
        f"{source_name} defines {', '.join(names[:10])}, none of them main or {alias}",
        hint="the function that the query calls is named main, or like its alias",
    )
