"""The process that holds the model of an isolated entry script. Started by `isolated`.

    python -m streamql.udf.scoring.worker ALIAS PATH

Requests come in on standard input and answers go out on what was standard output, as `frames`
says. What the script prints, and what libraries below Python write, goes to standard error.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
import time
from typing import Any, BinaryIO

import orjson

from ...errors import FunctionError
from .entry import EntryScript, ScriptFailed
from .frames import HEAD, RAISED, READY, RESPONSE, STOP, VALUE, framed, opened

_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_GRACE = 1.0
"""Seconds that a call may go on when the job is gone."""


def main(alias: str, path: str) -> None:
    """Load the script, then answer requests until there are no more."""
    requests, answers = _pipes()
    threading.Thread(target=_end_with_the_job, args=(requests.fileno(),), daemon=True).start()
    script = EntryScript(alias, path)
    try:
        script.load()
    except FunctionError as error:
        _send(answers, _stop(error))
        return
    _send(answers, framed(READY, b"{}"))
    while True:
        head = requests.read(HEAD)
        if len(head) < HEAD:
            return
        body = requests.read(opened(head)[1])
        _send(answers, _answer(script, body))


def _pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the two pipes away from the script: its standard input is empty, its output is ours."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _end_with_the_job(requests: int) -> None:
    """End the process when the job does, even while the script hangs."""
    watch = select.poll()
    watch.register(requests, 0)  # that the other end is closed is told unasked
    watch.poll()
    time.sleep(_GRACE)
    os._exit(1)


def _send(answers: BinaryIO, frame: bytes) -> None:
    answers.write(frame)
    answers.flush()
    sys.stdout.flush()
    sys.stderr.flush()


def _answer(script: EntryScript, body: bytes) -> bytes:
    """Return the answer to a request as a frame."""
    try:
        value: Any = script.run(body)
    except ScriptFailed as failed:
        return framed(RAISED, orjson.dumps({"said": failed.said, "place": failed.place}))
    except FunctionError as error:
        return _stop(error)
    if hasattr(value, "status_code") and hasattr(value, "get_data"):
        text = bytes(value.get_data()).decode("utf-8", "replace")
        parts = {
            "status": int(value.status_code),
            "headers": {str(k).lower(): str(v) for k, v in dict(value.headers).items()},
            "text": text,
        }
        return framed(RESPONSE, orjson.dumps(parts))
    try:
        return framed(VALUE, _json(value))
    except (TypeError, ValueError, RecursionError) as error:
        said = f"run() returned what is not JSON: {error}"
        return framed(RAISED, orjson.dumps({"said": said, "place": None}))


def _stop(error: FunctionError) -> bytes:
    return framed(STOP, orjson.dumps({"message": error.message, "hint": error.hint}))


def _json(value: object) -> bytes:
    """Return a value as JSON; NaN and infinity as Python writes them, to be told as what they are.

    orjson makes null of them, so that a text without null is right. Raises TypeError.
    """
    text = orjson.dumps(value, option=_STRICT)
    return text if b"null" not in text else json.dumps(value).encode()


if __name__ == "__main__":
    main(*sys.argv[1:])
