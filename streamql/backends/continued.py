"""Jobs with checkpoints on this machine: where one goes on, and what takes the next checkpoints."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..connectors.contract import Sink, SinkState
from ..runtime.checkpoint import Checkpoint, OutputState
from ..runtime.coordinator import Coordinator, Output, every
from ..runtime.counted import unpack
from ..runtime.identity import Identity, refuse_changed
from ..runtime.readers import InputReader
from ..runtime.reference_notes import ReferenceNotes, tell_changed
from ..runtime.references import ReferenceData
from ..runtime.runner import Runner
from ..runtime.store import Store, open_storage
from ..runtime.taken import Taken
from ..runtime.writers import OutputWriter
from ..settings import Settings
from ..summary import CheckpointOutcome
from ..udf.dead_letters import DeadLetters
from .identified import identity_of


def _nothing(_point: str) -> None:
    """Do nothing at a point between two steps."""


@dataclass
class Checkpointing:
    """What a job with checkpoints needs beside a job without.

    Attributes:
        store: where they are kept; opened and closed by the job.
        identity: what the job is.
        interval: seconds between two.
        from_start: begin anew, and remove what is there.
        allow_changed_functions: go on although functions have changed.
        due, reached: for tests: see `Coordinator`.
    """

    store: Store
    identity: Identity
    interval: float
    from_start: bool = False
    allow_changed_functions: bool = False
    due: Callable[[], bool] | None = None
    reached: Callable[[str], None] | None = None

    def choose(self, from_start: bool, allow_changed_functions: bool) -> None:
        """Say what becomes of checkpoints that are there."""
        self.from_start = from_start
        self.allow_changed_functions = allow_changed_functions

    def open(self) -> Checkpoint | None:
        """Lock the store and return where to go on. Raises UsageError for another job's."""
        found = self.store.open(self.from_start)
        if found is not None:
            try:
                refuse_changed(
                    found.identity, self.identity, self.store.name, self.allow_changed_functions
                )
            except BaseException:
                self.store.close()
                raise
        return found

    def when(self) -> Callable[[], bool]:
        """Return what tells when the next one is due."""
        return self.due or every(self.interval)


def checkpointing_at(
    place: str,
    script: str,
    settings: Settings,
    made_of: Mapping[str, str],
    warn: Callable[[str], None],
) -> Checkpointing:
    """Return what a script needs for checkpoints in a place. Raises UsageError for no place.

    `made_of` has the fingerprints of the user functions by alias.
    """
    store = Store(open_storage(place), settings.checkpoint_keep, warn)
    identity = identity_of(script, settings, made_of)
    return Checkpointing(store, identity, settings.checkpoint_interval)


@dataclass
class Continued:
    """A checkpoint being taken over by a new run of its job."""

    checkpoint: Checkpoint
    outputs: Mapping[str, OutputState] = field(default_factory=dict)
    letters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        self.outputs, self.letters = self.checkpoint.outputs, self.checkpoint.letters

    def give(self, readers: Mapping[str, InputReader]) -> None:
        """Let readers begin where the checkpoint was taken, with the counters of then."""
        for name, reader in readers.items():
            state = self.checkpoint.inputs.get(name)
            if state is not None:
                reader.position = state.position
                reader.done = state.ended
                unpack(reader.counts, state.counts)

    def tell_changed(
        self, references: Mapping[str, ReferenceData], tell: Callable[[str], None] | None
    ) -> None:
        """Tell which reference data have changed since the checkpoint was taken."""
        if tell is not None:
            tell_changed(self.checkpoint.references, references, self.checkpoint.epoch, tell)

    def is_idle(self, readers: Mapping[str, InputReader], stopping: threading.Event) -> bool:
        """Tell whether the job has finished, and its inputs have nothing more.

        The readers have begun then. Where an input has more, the rows of the end are taken back by
        the outputs that can.
        """
        if self.checkpoint.finished is None:
            return False
        waiting = [reader for reader in readers.values() if not reader.done]
        for reader in waiting:
            reader.begin()
        if any(reader.wait_for_more(stopping) for reader in waiting):
            return False
        self.outputs = self.checkpoint.finished
        self.letters = self.checkpoint.finished_letters
        return True


def run_checkpointed(
    checkpointing: Checkpointing,
    continued: Continued | None,
    runner: Runner,
    start: int,
    record: Taken,
    letters: DeadLetters | None,
    references: Mapping[str, ReferenceData],
) -> CheckpointOutcome:
    """Run a job from where its checkpoint says, and take the next ones. Raises RunError.

    `record` is told of those that are complete; `letters` are the job's dead letters.
    """
    outputs = _outputs(runner.writers)
    resumed = None if continued is None else continued.checkpoint.epoch
    coordinator = Coordinator(
        checkpointing.store,
        checkpointing.identity,
        start,
        runner.graph,
        runner.readers,
        outputs,
        checkpointing.when(),
        checkpointing.reached or _nothing,
        runner.progress.set,
        record,
        letters,
        ReferenceNotes(references),
    )
    idle = False
    try:
        if continued is not None:
            idle = continued.is_idle(runner.readers, runner.stopping)
            coordinator.restore(continued.checkpoint)
            for key, state in continued.outputs.items():
                for name, rows in state.rows.items():
                    runner.writers[name].rows = rows
                outputs[key].writer.resume(sum(state.rows.values()), state.dropped, state.written)
        if letters is not None:
            _resume_letters(letters, continued)
        _resume(outputs, None if continued is None else continued.outputs)
    except BaseException:
        runner.abandon()
        raise
    if idle:
        runner.abandon()
        return CheckpointOutcome(checkpointing.store.name, resumed, resumed, idle=True)
    runner.checkpoints = coordinator
    try:
        runner.run()
    finally:
        coordinator.close()
    return CheckpointOutcome(
        checkpointing.store.name, resumed, coordinator.saved, stopped=runner.stopped
    )


def _outputs(writers: Mapping[str, Any]) -> dict[str, Output]:
    """Return the writers by the name of the first output of each."""
    shares: dict[OutputWriter, dict[str, Any]] = {}
    for name, share in writers.items():
        shares.setdefault(share.writer, {})[name] = share
    return {
        next(iter(members)): Output(writer, partial(_rows, members))
        for writer, members in shares.items()
    }


def _rows(members: Mapping[str, Any]) -> dict[str, int]:
    return {name: share.rows for name, share in members.items()}


def _resume_letters(letters: DeadLetters, continued: Continued | None) -> None:
    """Let the dead letters go on after a checkpoint, or begin. Raises OutputError."""
    if continued is None:
        letters.resume(None)
    elif continued.letters is not None:  # else it was taken without a file for them
        letters.resume(continued.letters)


def _resume(outputs: Mapping[str, Output], states: Mapping[str, OutputState] | None) -> None:
    """Let all outputs go on after a checkpoint, or begin. Raises OutputError."""
    asked = [
        output.writer.ask(partial(_resumed, _state(states, name)))
        for name, output in outputs.items()
    ]
    for answer in asked:
        answer.result()


def _resumed(state: SinkState | None, sink: Sink) -> None:
    sink.resume(state)


def _state(states: Mapping[str, OutputState] | None, name: str) -> SinkState | None:
    if states is None or name not in states:
        return None
    state: SinkState = states[name].state
    return state
