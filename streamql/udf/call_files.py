"""The files that calls of models are recorded in, and replayed from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from .scoring.calls import CallRecorder, RecordedCalls


class CallFiles:
    """One file at most, for all models of a job; it is opened when the first one needs it.

    Raises UsageError when calls are to be recorded and replayed at once.
    """

    def __init__(self, record: str | None, replay: str | None) -> None:
        if record is not None and replay is not None:
            raise UsageError(
                f"calls are recorded in {record} and replayed from {replay}, both at once",
                hint="give record_calls or replay_calls",
            )
        self._record = record
        self._replay = replay
        self._recorder: CallRecorder | None = None
        self._replayed: RecordedCalls | None = None

    def recorder(self) -> CallRecorder | None:
        """Return what writes the file; None when calls are not recorded."""
        if self._recorder is None and self._record is not None:
            from .scoring.calls import CallRecorder

            self._recorder = CallRecorder(Path(self._record))
        return self._recorder

    def replayed(self) -> RecordedCalls | None:
        """Return the calls to replay; None when models answer. Raises UsageError."""
        if self._replayed is None and self._replay is not None:
            from .scoring.calls import RecordedCalls

            self._replayed = RecordedCalls(Path(self._replay))
        return self._replayed

    def close(self) -> None:
        """Close the file that is written."""
        if self._recorder is not None:
            self._recorder.close()
