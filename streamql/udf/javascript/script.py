"""A JavaScript file: how it is loaded into V8, where its errors are, and what its entry is."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ...errors import BindError, CompileError
from .engine import CallStopped, JavaScriptRuntime, ScriptError, decoded

# what V8's compiler puts before the first line of a file
_LINES_BEFORE = 2
_V8_PLACE = re.compile(r"[^\n]*?:(\d+): ([^\n]*)\n([^\n]*)\n?( *)\^?")
_LINE_END = re.compile(r"\r\n|[\n\r\u2028\u2029]")
_WIDEST = 100


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A JavaScript file: its name for messages, and its text."""

    name: str
    text: str

    def lines(self) -> list[str]:
        """Return its lines as V8 counts them."""
        return _LINE_END.split(self.text)

    def excerpt(self, line: int, column: int) -> str:
        """Return a line, counted from 1, with a caret under a column, as further lines of a hint;
        of a long line what is around the column."""
        text = self.lines()[line - 1].expandtabs(1).rstrip()
        start = max(0, column - _WIDEST // 2) if len(text) > _WIDEST else 0
        shown = text[start : start + _WIDEST]
        return f"\n  | {shown}\n  | {' ' * (column - 1 - start)}^"


@dataclass(frozen=True, slots=True)
class Script:
    """One file, the files of helpers that run before it, and how to load them (again)."""

    id: int
    alias: str
    source: str
    source_name: str
    names: tuple[str, ...]
    library: tuple[SourceFile, ...] = ()

    @property
    def url(self) -> str:
        return f"streamql-udf-{self.id}"

    @property
    def text(self) -> str:
        """The text of all its files."""
        return "\n".join(file.text for file in self.files())

    @property
    def seed(self) -> int:
        """The number with which its random numbers begin where they are bound to events."""
        return zlib.crc32(self.alias.lower().encode()) >> 1

    def files(self) -> tuple[SourceFile, ...]:
        """Return its files in the order in which they run."""
        return (*self.library, SourceFile(self.source_name, self.source))

    def load(
        self, runtime: JavaScriptRuntime, speaker: str | None = None
    ) -> dict[str, dict[str, Any]]:
        """Run the file in V8 and return what is known of its functions, by name; what it says to
        `console` is told in the name of the `speaker`, else of the file, for '' not at all."""
        # never empty where there are helpers: then they have lines of their own
        library = "".join(f"{file.text}\n" for file in self.library)
        try:
            for file in self.files():
                self._check(runtime, (file,))
            if len(self.library) > 1:  # each is well, together they may declare a name twice
                self._check(runtime, self.library)
            names = orjson.dumps(self.names).decode()
            arguments = (self.id, self.seed, library, self.source, names, self.url)
            speaker = self.source_name if speaker is None else speaker
            found = decoded(runtime.invoke("load", *arguments, speaker=speaker))
        except CallStopped as stopped:
            raise CompileError(
                f"{self.source_name}: {stopped.reason} while the file was loaded",
                hint=stopped.hint,
            ) from None
        except ScriptError as error:
            raise CompileError(f"{self.source_name}: {str(error).splitlines()[0]}") from None
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
        """Return "at FILE line L, column C" and that line, for the innermost frame in its files;
        where that is a helper's, also the line of the file itself that called it."""
        # where there are helpers, one line between them and the file opens a function
        own = SourceFile(self.source_name, self.source)
        files = (*self.library, SourceFile("", ""), own) if self.library else (own,)
        found = None
        for frame in re.finditer(rf"\b{self.url}:(\d+):(\d+)", stack):
            at = _located(files, int(frame[1]) - _LINES_BEFORE)
            if at is None or not at[0].name:
                continue
            file, line = at
            said = f"{file.name} line {line}, column {frame[2]}"
            if found is None:
                found = f"at {said}{file.excerpt(line, int(frame[2]))}"
            elif file is own:
                found += f"\n  called at {said}"
            if file is own:
                break
        return found

    def _check(self, runtime: JavaScriptRuntime, files: Sequence[SourceFile]) -> None:
        """Raise CompileError with the place where files, one after the other, are no JavaScript."""
        text = "\n".join(file.text for file in files)
        try:
            runtime.invoke("check", text)
        except ScriptError as error:
            said = str(error)
        else:
            return
        found, before = _V8_PLACE.match(said), _LINES_BEFORE
        if found is not None and _located(files, int(found[1]) - before) is None:
            # V8 stumbled over what the compiler puts behind the file; as a script the place shows
            try:
                runtime.invoke("place", text)
            except ScriptError as error:
                if "SyntaxError" in str(error).split("\n", 1)[0]:
                    found, before = _V8_PLACE.match(str(error)), 1
        if found is None:
            raise CompileError(f"{files[-1].name}: {said.strip().splitlines()[0]}")
        at = _located(files, int(found[1]) - before)
        if at is None or "end of input" in found[2]:
            raise CompileError(
                f"{files[-1].name}, line {_last_line(files[-1])}: {found[2]} at the end of the "
                "file",
                hint="a bracket, a text or a comment is not closed",
            )
        file, line, column = *at, len(found[4]) + 1
        raise CompileError(
            f"{file.name}, line {line}, column {column}: {found[2]}",
            hint=f"the line is:{file.excerpt(line, column)}",
        )


def _located(files: Sequence[SourceFile], line: int) -> tuple[SourceFile, int] | None:
    """Return the file and its line for a line of files one after the other."""
    for file in files if line > 0 else ():
        count = len(file.lines())
        if line <= count:
            return file, line
        line -= count
    return None


def _last_line(file: SourceFile) -> int:
    """Return the number of the last line that is not only the end of the one before it."""
    lines = file.lines()
    return max(1, len(lines) - (lines[-1] == ""))


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
