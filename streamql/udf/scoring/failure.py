"""What can go wrong with a request, and whether and when it is worth another attempt."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ...network.retry import Clock as Clock
from ...network.retry import Retry, class_of, phrase, retry_after

SHOWN = 500
"""How much of an answer and of a row a message shows, in characters."""

_ROWS = frozenset({400, 413, 422})
_MODEL = 424
LIMIT = 10
"""Retries of a failure that is not retried for ever, unless `max_retries` says otherwise."""


class Failure(Exception):
    """A request failed.

    Attributes:
        cause: what happened, as the end of a sentence that starts with the model's URL.
        retry: how often to try again.
        rows_to_blame: one of the rows can be the reason, so halves of the batch may do better.
        label: for the counters: the status, "connection" or "timeout".
        status, body: the answer, if there was one.
        wait: seconds the server asked to wait.
        spent: attempts were made and given up (by number or by time).
    """

    def __init__(
        self,
        cause: str,
        retry: Retry,
        *,
        rows_to_blame: bool = False,
        label: str = "",
        status: int | None = None,
        body: str = "",
        wait: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry = retry
        self.rows_to_blame = rows_to_blame
        self.label = label
        self.status = status
        self.body = body
        self.wait = wait
        self.hint = hint
        self.spent = False


def of_status(status: int, headers: Mapping[str, str], body: str, now: float) -> Failure:
    """Return the failure that an answer other than 200 means; `now` is the wall clock's time."""
    cause = f"answered {phrase(status)}"
    retry, blame, hint = class_of(status), status in _ROWS, None
    model_failed = headers.get("x-ms-run-function-failed", "").lower() == "true"
    if status == _MODEL:
        inner = headers.get("ms-azureml-model-error-statuscode", "").strip()
        blame = True
        retry = class_of(int(inner)) if inner.isascii() and inner.isdigit() else Retry.NEVER
        cause += f" (the model's own status: {inner})" if inner else ""
    elif status == 500 and model_failed:
        # Azure ML's server, met without the gateway that makes a 424 of it
        blame = True
        cause += " (the model's run() failed)"
    elif status in (401, 403):
        hint = "give the endpoint's key with the setting key=env:NAME or key=file:PATH"
    elif 300 <= status < 400:
        hint = "requests are not sent on to another address; name the final one"
        hint += _final(headers.get("location", ""))
    return Failure(
        cause,
        retry,
        rows_to_blame=blame,
        label=str(status),
        status=status,
        body=body,
        wait=retry_after(headers.get("retry-after"), now),
        hint=hint,
    )


def of_exception(place: str | None, said: str) -> Failure:
    """Return the failure of a script whose run() raised; `place` is where, if that is known."""
    where = f" ({place})" if place else ""
    cause = f"failed in run(){where}: {said}"
    return Failure(cause, Retry.NEVER, rows_to_blame=True, label="exception")


def of_script(status: int, headers: Mapping[str, str], body: str) -> Failure:
    """Return the failure for a status that a script itself answers."""
    failure = of_status(status, headers, body, 0.0)
    # nothing heals with time here: the same call gives the same answer
    failure.retry, failure.rows_to_blame = Retry.NEVER, True
    return failure


def _final(location: str) -> str:
    """Return `, URL` for the address a redirect names, without what could be a secret."""
    try:
        place = urlsplit(location)
    except ValueError:
        return ""
    if place.scheme not in ("http", "https"):
        return ""
    return shortened(f", {place.scheme}://{place.netloc.rpartition('@')[2]}{place.path}")


def shortened(text: str, length: int = SHOWN) -> str:
    """Return at most `length` characters of a text."""
    return text if len(text) <= length else f"{text[:length]}..."
