"""A JavaScript file: how it is loaded into V8, where its errors are, and what its entry is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ...errors import BindError, CompileError
from .engine import CallStopped, JavaScriptRuntime, ScriptError, decoded

# what V8's compiler puts before the first line of a file
_LINES_BEFORE = 2
_V8_PLACE = re.compile(r"[^\n]*?:(\d+): ([^\n]*)\n([^\n]*)\n?( *)\^?")


@dataclass(frozen=True, slots=True)
class Script:
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


def entry_of(alias: str, source_name: str, names: Sequence[str]) -> str:
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
