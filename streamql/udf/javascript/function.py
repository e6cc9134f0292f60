"""A JavaScript function as a query calls it, and how one is made from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...column import Column, combine, concat, nulls
from ...errors import BindError, FunctionError, Span
from ...functions.implicit import convert
from ...functions.registry import Function, Volatility
from ...text import offsets_of
from ...types import JSON_TYPES, Type
from .engine import CallStopped, JavaScriptRuntime, ScriptError, decoded
from .lists import room_for, width_of
from .packing import packing_of
from .portions import refuse_long
from .results import decode
from .script import Script, SourceFile, entry_of
from .signature import Signature, asks_for_now_or_chance, candidates, is_volatile, signature
from .transport import FAILED, HEADER, TOO_LONG, encode, events, layout, loop_source, write

_MOST_ROWS = 131_072
_MOST_BYTES = 64 * 1024 * 1024
GOOD = "a function returns a number, text, boolean, Date, plain object, array or null"


class JavaScriptFunction(Function):
    """A function of a file, called once per batch.

    Made by `load_function`. `returns` is the declared output type, None for whatever comes.
    """

    can_fail = True

    def __init__(
        self,
        script: Script,
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
        self.by_event = runtime.deterministic and asks_for_now_or_chance(script.text)
        volatile = self.by_event or is_volatile(script.text)
        self.volatility = Volatility.VOLATILE if volatile else Volatility.IMMUTABLE
        self._script = script
        self._entry = entry
        self._shape = shape
        self._runtime = runtime
        self._generation = generation
        self._loops: dict[tuple[str, ...], Any] = {}
        alone = not (script.library or volatile)
        self._packing = packing_of(script.source) if alone else None
        self._width = 0

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
        refuse_long(columns, self._runtime.max_text, f"udf.{self.name}")
        if self._packing is not None:
            packed = self._packing.column(columns, self._runtime.bits_as_numbers)
            if packed is not None and self.returns in (None, Type.ANY, packed.type):
                return packed
        return self._declared(self._halves(columns, count, 0))

    def _halves(self, columns: Sequence[Column], count: int, start: int) -> Column:
        """Call with as many rows at once as fit into V8's limits."""
        size = sum(
            int(offsets_of(c.values)[-1]) - int(offsets_of(c.values)[0])
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
        shown = columns[:-2] if self.by_event else columns
        arguments = [encode(c, runtime.bits_as_numbers) for c in shown]
        if self.by_event:
            arguments.append(events(*columns[-2:]))
        end, room = layout(arguments, count), room_for(self._width, count)
        arguments += room
        texts = [a.text for a in arguments if a.text is not None]
        this = texts.pop(0) if texts else None
        with runtime.lock:
            try:
                memory = runtime.memory(layout(arguments, count))
                loop = self._loop(tuple(a.kind for a in arguments))
                write(memory, arguments, count)
                text = runtime.call(loop, *texts, this=this, speaker=f"udf.{self.name}")
            except CallStopped as stopped:
                error = FunctionError(
                    f"udf.{self.name}: {stopped.reason}, at row {stopped.row + 1:,} of the "
                    f"{count:,} of its batch",
                    hint=stopped.hint,
                    row=start + stopped.row,
                )
                error.certain = count == 1  # the limit is that of the batch
                raise error from None
            except ScriptError as refused:
                said = str(refused).splitlines()[0]
                raise FunctionError(f"udf.{self.name}: {said}") from None
            status = int(memory[4:HEADER].view(np.int32)[0])
            if status == TOO_LONG:
                return None
            if status == FAILED:
                raise self._failure(decoded(text), start)
            lists = memory[end : end + room[0].room].view(np.float64) if room else None
            places = None if lists is None else lists.reshape(-1, count)
            column = decode(memory, text, count, runtime.bits_as_numbers, places)
            self._width = width_of(column)
            return column

    def _loop(self, kinds: tuple[str, ...]) -> Any:
        """Return the compiled loop for these argument kinds, in the isolate of now."""
        if self._generation != self._runtime.generation:
            self._script.load(self._runtime)
            self._generation = self._runtime.generation
            self._loops.clear()
        loop = self._loops.get(kinds)
        if loop is None:
            source = loop_source(kinds, self._script.seed)
            loop = self._runtime.invoke("loop", self._script.id, self._entry, source)
            self._loops[kinds] = loop
        return loop

    def _failure(self, failure: dict[str, Any], start: int) -> FunctionError:
        row = start + int(failure["row"])
        if failure["misfit"]:
            message = f"udf.{self.name} returned {failure['message']}, which has no SQL type"
            return FunctionError(message, hint=GOOD, row=row)
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
    library: Sequence[SourceFile] = (),
) -> JavaScriptFunction:
    """Return the function `udf.alias` of a file's text.

    The entry is `main`, else the function named like the alias (exactly, else ignoring case), else
    the only function; a `library` of helpers runs before the file. Raises CompileError with the
    file's line when the file does not load, and BindError when it has no entry.
    """
    names = candidates(source)
    script = Script(runtime.new_id(), alias, source, source_name, names, tuple(library))
    with runtime.lock:
        functions = script.load(runtime)
        generation = runtime.generation
    entry = entry_of(alias, source_name, list(functions))
    found = functions[entry]
    shape = signature(found["text"], int(found["length"]))
    if shape.kind != "function":
        raise BindError(
            f"{source_name}: {entry} is {shape.kind}, which cannot be called for a value",
            hint="declare a plain function",
        )
    return JavaScriptFunction(script, entry, shape, runtime, generation, returns)
