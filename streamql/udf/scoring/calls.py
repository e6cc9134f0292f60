"""The file of recorded calls: what each model answered to each row, as JSON lines.

    {"function":"score","model":"http://m:5001/score","protocol":"azureml","returns":"float"}
    {"function":"score","row":[1,"Mon",12],"answer":3.5}
    {"function":"score","row":[1,"Mon",-1],"failure":"answered 400 Bad Request","status":400}

A row is known by its function and its values (in their order), not by the request it was in. Where
a row has several lines, the last one counts. There is no key and no header of a request in it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import orjson

from ...errors import OutputError, UsageError, nearest
from ...projects.files import read_bytes
from .failure import Failure, shortened
from .likeness import most_alike

_NEWLINE = b"\n"


@dataclass(frozen=True, slots=True)
class Signed:
    """What a file says about a function: the model that answered, and the type of its answers."""

    model: str
    protocol: str
    returns: str


@dataclass(frozen=True, slots=True)
class Call:
    """What became of a row: an answer, or a failure with status and body where there were any."""

    answer: Any = None
    failure: str | None = None
    status: int | None = None
    body: str = ""


def canonical(text: bytes) -> bytes:
    """Return the text of a row (or an answer) in the one form in which it is compared."""
    try:
        return orjson.dumps(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text


class RecordedCalls:
    """A file of recorded calls, in memory. Raises UsageError when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._signed: dict[str, Signed] = {}
        self._calls: dict[str, dict[bytes, tuple[int, bytes]]] = {}
        content = read_bytes(path)
        for number, line in enumerate(content.split(_NEWLINE), 1):
            if line.strip():
                self._read(number, line)

    def _read(self, number: int, line: bytes) -> None:
        try:
            found = orjson.loads(line)
            alias = found["function"].lower()
            if "row" in found:
                assert ("answer" in found) != ("failure" in found)
                row = orjson.dumps(found["row"])
                self._calls.setdefault(alias, {})[row] = (number, line)
            else:
                self._signed[alias] = Signed(
                    str(found["model"]), str(found["protocol"]), str(found["returns"])
                )
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, AssertionError):
            raise UsageError(
                f"{self.path}: line {number:,} is no recorded call: "
                f"{shortened(line.decode('utf-8', 'replace'), 80)}",
                hint="each line is an object with function, row, and answer or failure",
            ) from None

    def signed(self, alias: str) -> Signed:
        """Return what is known about a function. Raises UsageError when it was never called."""
        found = self._signed.get(alias.lower())
        if found is not None:
            return found
        if alias.lower() in self._calls:
            return Signed("the model", "unknown", "any")
        known = sorted(self._signed)
        near = nearest(alias, known)
        listed = f"there are calls of {', '.join(known)}" if known else "it has no calls at all"
        raise UsageError(
            f"{self.path} has no recorded calls of udf.{alias}",
            hint=f"did you mean {near}?" if near else listed,
        )

    def find(self, alias: str, row: bytes) -> Call | None:
        """Return what became of a row in its canonical form; None when it was not recorded."""
        found = self._calls.get(alias.lower(), {}).get(row)
        if found is None:
            return None
        line = orjson.loads(found[1])
        if "failure" not in line:
            return Call(answer=line["answer"])
        body = str(line.get("body") or "")
        return Call(failure=str(line["failure"]), status=line.get("status"), body=body)

    def alike(self, alias: str, row: bytes) -> str:
        """Return, as the end of a sentence, which recorded row is most like this one."""
        known = self._calls.get(alias.lower(), {})
        if not known:
            return "none of this function is recorded"
        near, difference = most_alike(orjson.loads(row), list(known))
        said = f"the nearest recorded row, in line {known[near][0]:,}, is "
        said += shortened(near.decode("utf-8", "replace"), 200)
        return said + (f" ({difference})" if difference else "")


class CallRecorder:
    """Adds calls to a file as they are made: each once, in the order of its first use.

    Used from any thread. A file that is there is continued; a row that was answered in another way
    before gets another line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._known: dict[bytes, int] = {}

    def sign(self, alias: str, signed: Signed) -> None:
        """Note which model answers a function. Raises OutputError."""
        rest = {"model": signed.model, "protocol": signed.protocol, "returns": signed.returns}
        self._put([(b"", orjson.dumps({"function": alias.lower(), **rest}))], alias)

    def put(self, alias: str, calls: list[tuple[bytes, bytes | Failure]]) -> None:
        """Write what became of rows: each row's text, and its answer's or why there is none.

        Raises OutputError.
        """
        head = b'{"function":' + orjson.dumps(alias.lower()) + b',"row":'
        lines = []
        for text, outcome in calls:
            row = canonical(text)
            if isinstance(outcome, Failure):
                end = b"," + orjson.dumps(_described(outcome))[1:]
            else:
                end = b',"answer":' + outcome + b"}"
            lines.append((row, head + row + end))
        self._put(lines, alias)

    def _put(self, lines: list[tuple[bytes, bytes]], alias: str) -> None:
        with self._lock:
            try:
                if self._file is None:
                    self._file = self._opened()
                new = [line for row, line in lines if self._is_new(alias.lower(), row, line)]
                if new:
                    self._file.write(b"".join(line + _NEWLINE for line in new))
                    self._file.flush()
            except OSError as error:
                raise OutputError(f"cannot write {self._path}: {error.strerror}") from None

    def _is_new(self, alias: str, row: bytes, line: bytes) -> bool:
        key = blake2b(alias.encode() + b"\0" + row, digest_size=16).digest()
        made = hash(line)
        if self._known.get(key) == made:
            return False
        self._known[key] = made
        return True

    def _opened(self) -> IO[bytes]:
        """Return the file, open for adding; what an interrupted run left unfinished is cut off."""
        if self._path.is_file() and self._path.stat().st_size:
            content = self._path.read_bytes()
            whole = content.rfind(_NEWLINE) + 1
            for line in content[:whole].split(_NEWLINE):
                self._learn(line)
            if whole < len(content):
                with self._path.open("r+b") as file:
                    file.truncate(whole)
        return self._path.open("ab")

    def _learn(self, line: bytes) -> None:
        try:
            found = orjson.loads(line)
            row = orjson.dumps(found["row"]) if "row" in found else b""
            self._is_new(str(found["function"]), row, line)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            pass  # whatever it is, it is told when the file is replayed

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _described(failure: Failure) -> dict[str, Any]:
    known: dict[str, Any] = {"failure": failure.cause}
    if failure.status is not None:
        known["status"] = failure.status
    if failure.body:
        known["body"] = shortened(failure.body)
    return known
