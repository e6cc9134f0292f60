"""User aggregates in JavaScript: one call of V8 for many ranges of rows.

A file's `main` makes a state: `init()`, `accumulate(value, timestamp)` for each row, and
`computeResult()`; with `deaccumulate(value, timestamp)`, or `deaccumulateState(other)`, a range
that overlaps the one before it may go on with its state. `aggregate.js` is the loop, and says when
it does. A range without rows gives NULL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...column import Column, concat, nulls
from ...errors import BindError, CompileError, FunctionError
from ...functions.aggregate import Aggregate, AggregateSpec
from ...grouping.ranges import Ranges
from ...types import Type
from .engine import CallStopped, JavaScriptRuntime, ScriptError, decoded
from .function import GOOD
from .portions import MOST_ROWS, Limit, covered, encoded, refuse_long, steps_of
from .results import decode
from .script import Script, SourceFile, entry_of
from .signature import asks_for_now_or_chance, candidates, without_comments
from .transport import FAILED, HEADER, TICKS_PER_MS, TOO_LONG, Argument, layout, write

Ints = NDArray[np.int64]

# calls of accumulate and deaccumulate after which V8 returns, so that the limit of time is one for
# slow functions and not for large windows
_MOST_STEPS = 1 << 20
_CONTINUED, _UNFINISHED, _SLIDING = 1, 2, 4
_MEMBERS = ("init", "accumulate", "computeResult", "deaccumulate", "deaccumulateState")
_NEEDED = ("accumulate", "computeResult")
_MENTIONED = re.compile(r"\b(?:accumulate|computeResult)\b")
_ASSIGNED = re.compile(r"\bthis\s*\.\s*(?:accumulate|computeResult)\s*=(?![=>])", re.IGNORECASE)
_PROBE = """'use strict';
return function probe() {
  const wanted = I.parse(this);
  try {
    const state = new user();
    let found = '';
    for (let i = 0; i < wanted.length; i++) found += typeof state[wanted[i]] + ' ';
    I.settle();
    return '{"members": "' + found + '"}';
  } catch (thrown) { const said = I.failure(thrown, 0); I.settle(); return said; }
};
"""
_SHAPE = (
    "function main() { this.init = function () { ... }; this.accumulate = function (value, "
    "timestamp) { ... }; this.computeResult = function () { ... }; }"
)


class _Answer(NamedTuple):
    """What one call of V8 gave: a value for each range that is done."""

    values: Column
    slid: bool


@dataclass(frozen=True, eq=False)
class JavaScriptAggregate(Aggregate):
    """The aggregate `uda.alias` of a file; made by `load_aggregate`.

    Attributes:
        script: the file, and `entry` the name of the function in it that makes a state.
        slides: the state offers to take rows out again.
    """

    name: str
    type: Type
    script: Script
    entry: str
    slides: bool
    runtime: JavaScriptRuntime
    loops: _Loops

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        rows, placed = covered(ranges, len(times))
        if len(rows) == 0:
            return nulls(len(ranges))
        order = np.lexsort((placed.ends, placed.starts))
        column = inputs[0]
        if len(rows) < len(times):
            column, times = column.take(rows), times[rows]
        try:
            refuse_long([column], self.runtime.max_text, self.name)
            with self.runtime.lock:
                values = self._in_calls(column, times, placed.take(order))
        except FunctionError as error:
            if error.row is not None:
                error.row = int(rows[error.row])
            raise
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return values.take(back)

    def _in_calls(self, column: Column, times: Ints, ranges: Ranges) -> Column:
        """Return the values of ranges in order of their starts, in as few calls as limits allow."""
        reach = np.maximum.accumulate(ranges.ends)
        limit = Limit(column)
        slides = self.slides
        done, steps = 0, steps_of(ranges, slides)
        found: list[Column] = []
        while done < len(ranges):
            start = int(ranges.starts[done])
            end = limit.after(start)
            last = min(
                int(np.searchsorted(reach, end, "right")),
                int(np.searchsorted(steps, steps[done] + _MOST_STEPS, "right")),
                done + MOST_ROWS,
            )
            if last <= done and ranges.ends[done] > end:
                found.append(self._in_pieces(column, times, start, int(ranges.ends[done]), limit))
                done += 1
                continue
            some = Ranges(ranges.starts[done:last], ranges.ends[done:last])
            if last <= done:
                some = ranges.take(np.array([done]))
            answer = self._call(column, times, some, _SLIDING if slides else 0)
            if slides and not answer.slid:
                slides, steps = False, steps_of(ranges, False)
            found.append(answer.values)
            done += len(answer.values)
        return concat(found)

    def _in_pieces(self, column: Column, times: Ints, start: int, end: int, limit: Limit) -> Column:
        """Return the value of one range that is too long for a call."""
        at = start
        while True:
            stop = min(limit.after(at), end)
            flags = (_CONTINUED if at > start else 0) | (_UNFINISHED if stop < end else 0)
            piece = Ranges(np.array([at]), np.array([stop]))
            values = self._call(column, times, piece, flags).values
            if stop == end:
                return values
            at = stop

    def _call(self, column: Column, times: Ints, ranges: Ranges, flags: int) -> _Answer:
        """Call V8 with the rows of some ranges. Raises FunctionError with the row."""
        count, first, last = len(ranges), int(ranges.starts.min()), int(ranges.ends.max())
        value = encoded(column.slice(first, last - first), self.runtime.bits_as_numbers)
        begins, stops = ((r - first).astype(np.int32) for r in (ranges.starts, ranges.ends))
        moments = (times[first:last] // TICKS_PER_MS).astype(np.float64)
        arguments = [Argument("ranges", (begins, stops, moments)), value]
        try:
            memory = self.runtime.memory(layout(arguments, count))
            loop = self.loops.get(self, value.kind)
            write(memory, arguments, count)
            memory[:HEADER].view(np.int32)[4:6] = last - first, flags
            text = self.runtime.call(loop, this=value.text or "", speaker=self.name)
        except CallStopped as stopped:
            raise FunctionError(
                f"{self.name}: {stopped.reason}, at row {stopped.row + 1:,} of the "
                f"{last - first:,} of its batch",
                hint=stopped.hint,
                row=first + stopped.row,
            ) from None
        except ScriptError as error:
            raise FunctionError(f"{self.name}: {str(error).splitlines()[0]}", row=first) from None
        _, status, done, given_up = memory[:16].view(np.int32).tolist()
        if status == FAILED:
            raise self._failure(decoded(text), first)
        if status == TOO_LONG and done == 0:
            row = int(ranges.ends[0]) - 1
            raise FunctionError(f"{self.name}: the result is longer than 512 MB", row=row)
        values = decode(memory, text, count, self.runtime.bits_as_numbers)
        return _Answer(values.slice(0, done), not given_up)

    def _failure(self, failure: dict[str, Any], first: int) -> FunctionError:
        row = first + int(failure["row"])
        if failure["misfit"]:
            message = f"{self.name} returned {failure['message']}, which has no SQL type"
            return FunctionError(message, hint=GOOD, row=row)
        hint = self.script.place(failure["stack"]) or f"in {self.script.source_name}"
        return FunctionError(f"{self.name}: {failure['message']}", hint=hint, row=row)


class _Loops:
    """The compiled loops of an aggregate by kind of argument, in the isolate of now."""

    def __init__(self, generation: int) -> None:
        self._generation = generation
        self._by_kind: dict[str, Any] = {}

    def get(self, aggregate: JavaScriptAggregate, kind: str) -> Any:
        """Return the loop for a kind; the file is loaded again if the isolate is a new one."""
        runtime = aggregate.runtime
        if self._generation != runtime.generation:
            aggregate.script.load(runtime)
            self._generation = runtime.generation
            self._by_kind.clear()
        if kind not in self._by_kind:
            script = aggregate.script
            by_event = runtime.deterministic and asks_for_now_or_chance(script.text)
            source = (
                f"'use strict'; const KIND = '{kind}', HEADER = {HEADER}, "
                f"MOST_STEPS = {_MOST_STEPS}, SEED = {script.seed}, "
                f"BY_EVENT = {str(by_event).lower()};\n{_LOOP}"
            )
            self._by_kind[kind] = runtime.invoke("loop", script.id, aggregate.entry, source)
        return self._by_kind[kind]


_LOOP = (Path(__file__).parent / "aggregate.js").read_text(encoding="utf-8")


def is_aggregate(
    runtime: JavaScriptRuntime,
    alias: str,
    source: str,
    file: str,
    library: Sequence[SourceFile] = (),
) -> bool:
    """Tell whether a file makes an aggregate: its entry is a constructor of something that
    accumulates or computes a result. Raises CompileError when the file does not load."""
    text = without_comments(source)
    if _ASSIGNED.search(text):
        return True
    if not _MENTIONED.search(text):
        return False
    members = _Probe(runtime, alias, source, file, library, quiet=True).members or {}
    return any(members.get(name) == "function" for name in _NEEDED)


class _Probe:
    """A file, loaded, and what its entry constructs.

    Attributes:
        members: the JavaScript type of each member of the contract; None if constructing failed,
            and `failure` says how.
    """

    def __init__(
        self,
        runtime: JavaScriptRuntime,
        alias: str,
        source: str,
        file: str,
        library: Sequence[SourceFile],
        quiet: bool = False,
    ) -> None:
        speaker = "" if quiet else file
        names = candidates(source)
        self.script = Script(runtime.new_id(), alias, source, file, names, tuple(library))
        self.members: dict[str, str] | None = None
        self.failure: dict[str, Any] = {}
        with runtime.lock:
            self.entry = entry_of(alias, file, list(self.script.load(runtime, speaker)))
            self.generation = runtime.generation
            try:
                probe = runtime.invoke("loop", self.script.id, self.entry, _PROBE)
                members = ", ".join(f'"{name}"' for name in _MEMBERS)
                answer = decoded(runtime.call(probe, this=f"[{members}]", speaker=speaker))
            except CallStopped as stopped:
                answer = {"message": stopped.reason, "stack": ""}
            except ScriptError as error:
                answer = {"message": str(error).splitlines()[0], "stack": ""}
        if "members" in answer:
            self.members = dict(zip(_MEMBERS, answer["members"].split(), strict=True))
        else:
            self.failure = answer


def load_aggregate(
    runtime: JavaScriptRuntime,
    alias: str,
    source: str,
    file: str,
    library: Sequence[SourceFile] = (),
) -> AggregateSpec:
    """Return the aggregate `uda.alias` of a file's text.

    The entry is found as for functions: `main`, else the one named like the alias. Raises
    CompileError when the file does not load or its entry fails, with the line, and BindError when
    what it makes is no aggregate.
    """
    found = _Probe(runtime, alias, source, file, library)
    if found.members is None:
        raise CompileError(
            f"{file}: {found.failure['message']}, while {found.entry} was constructed",
            hint=found.script.place(found.failure["stack"]),
        )
    name = f"uda.{alias}"
    for member, kind in found.members.items():
        if kind == "function" or (kind == "undefined" and member not in _NEEDED):
            continue
        lack = f"it has no {member}" if kind == "undefined" else f"its {member} is of type {kind}"
        raise BindError(
            f"{file}: {found.entry} makes no aggregate, {lack}",
            hint=_misspelt(source, member) or f"write {_SHAPE}",
        )
    slides = "function" in (found.members["deaccumulate"], found.members["deaccumulateState"])
    aggregate = JavaScriptAggregate(
        name, Type.ANY, found.script, found.entry, slides, runtime, _Loops(found.generation)
    )
    return AggregateSpec(
        name,
        lambda _: aggregate,
        family="user aggregates",
        documentation=f"The aggregate of {file}.",
        language="JavaScript",
    )


def _misspelt(source: str, member: str) -> str | None:
    """Return the hint for a member that is there in other letters."""
    for word in re.findall(r"[\w$]+", without_comments(source)):
        if word.lower() == member.lower() and word != member:
            return f"found {word}: upper and lower case differ, write {member}"
    return None
