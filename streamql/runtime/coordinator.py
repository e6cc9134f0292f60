"""Takes the checkpoints of a running job.

The order, in which a crash between any two steps is safe:

1. operators `snapshot`, and the positions of the inputs are noted (the pipeline's thread)
2. outputs write what was put before, and `prepare` (their threads)
3. the store saves all of it, made visible by its last step (a thread of its own)
4. outputs `commit` (their threads)

Before that step of 3 the checkpoint before holds: inputs are read again from its positions, and
outputs take back what was written since. After it this one holds, and what 4 did not do is done by
`resume`. The pipeline goes on after 1: what it puts out meanwhile lies behind the `prepare` in the
queue of the output, and belongs to the next checkpoint. One is in progress at a time.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..connectors.contract import Sink
from ..errors import CheckpointError, RunError
from .checkpoint import Checkpoint, InputState, NodeState, OutputState, finished
from .counted import packed
from .graph import Graph, Node
from .identity import Identity
from .readers import InputReader
from .reference_notes import ReferenceNotes
from .store import Store
from .taken import Taken
from .writers import Asked, OutputWriter

if TYPE_CHECKING:
    from ..udf.dead_letters import DeadLetters

POINTS = ("snapshot", "prepared", "written", "saved", "committed")
"""The places between two steps, by the step before them; "written": all but what shows it."""


def every(seconds: float) -> Callable[[], bool]:
    """Return what tells when a checkpoint is due: when so much time has passed since the last."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < seconds:
            return False
        last = now
        return True

    return due


@dataclass
class Output:
    """A writer, and the outputs whose rows it takes with how many it has got of each."""

    writer: OutputWriter
    rows: Callable[[], Mapping[str, int]]


@dataclass
class Coordinator:
    """Takes the checkpoints of one job. All but `_save` runs in the pipeline's thread.

    Attributes:
        store: where they go.
        identity: what the job is.
        start: the time of events without an arrival.
        graph, readers, outputs: the parts of the job.
        due: tells whether it is time for the next one; asked between two blocks.
        reached: for tests: called at each of `POINTS`, and at "batch" when the pipeline has taken
            a block. What it raises ends the job as a crash would.
        wake: called when one is complete.
        record: is told of each that is complete.
        references: notes which versions of reference data are in use.
        letters: the dead letters, if the job has a place for them.
    """

    store: Store
    identity: Identity
    start: int
    graph: Graph
    readers: Mapping[str, InputReader]
    outputs: Mapping[str, Output]
    due: Callable[[], bool]
    reached: Callable[[str], None]
    wake: Callable[[], None]
    record: Taken = field(default_factory=Taken)
    letters: DeadLetters | None = None
    references: ReferenceNotes = field(default_factory=lambda: ReferenceNotes({}))
    saved: int | None = None
    _ended: set[str] = field(default_factory=set)
    _moved: bool = True
    _began: float = 0.0
    _before_end: Checkpoint | None = None
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Give the operators their state. Raises CheckpointError when it does not fit them."""
        known = dict(checkpoint.nodes)
        for node in self.graph.nodes:
            state = known.pop(node.key, None)
            if state is None:
                if node.operator.snapshot():
                    raise _misfit(self.store.name, f"has no state for {node.key}")
                continue
            if state.version != node.operator.version or len(state.marks) != node.ports:
                raise _misfit(self.store.name, f"has state of another kind for {node.key}")
            _give(node, state)
        for name, state in known.items():
            if state.state:
                raise _misfit(self.store.name, f"has state for {name}, which is not there")
        self._ended = {name for name, state in checkpoint.inputs.items() if state.ended}
        self.saved = checkpoint.epoch
        self._moved = False

    def taken(self) -> None:
        """The pipeline has taken a block: take a checkpoint if it is time. Raises its errors."""
        self.reached("batch")
        self.step(True)

    def step(self, moved: bool) -> None:
        """Take a checkpoint if it is time and something has happened since the last.

        `moved` tells that rows have moved. Once the operators know that all inputs have ended there
        is none but the last. Raises the errors of checkpoints.
        """
        self._raise()
        self._moved |= moved
        if self._before_end is not None:
            return
        if self._moved and not self._busy and (self.due() or self._full):
            self._begin(self._snapshot())

    def ending(self, name: str, last: bool) -> None:
        """The operators are going to be told that an input has ended, the `last` one or not.

        The checkpoint that is taken before the last is what longer inputs are continued from.
        """
        self._moved = True
        if last:
            self.wait()
            self._before_end = self._snapshot()
            self._begin(self._before_end)
            self.wait()
        self._ended.add(name)

    def finish(self) -> None:
        """Take the last checkpoint: all rows have been put out."""
        self.wait()
        if self._before_end is None:  # there was no input that could have ended
            self._before_end = self._snapshot()
        self._begin(self._before_end, last=True)
        self.wait()

    def stop(self) -> None:
        """Take a checkpoint of what there is, unless the last one is of it already."""
        self.wait()
        if self._moved:
            self._begin(self._snapshot())
            self.wait()

    def wait(self) -> None:
        """Wait for the one in progress. Raises its errors."""
        if self._thread is not None:
            self._thread.join()
        self._raise()

    def close(self) -> None:
        """Wait until nothing is written any more, whatever comes of it."""
        if self._thread is not None:
            self._thread.join()
        self._give_up_letters()

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def _full(self) -> bool:
        return any(output.writer.full for output in self.outputs.values())

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error
        self.store.recall()

    def _snapshot(self) -> Checkpoint:
        self._began = time.monotonic()
        inputs = {
            name: InputState(reader.position, name in self._ended, packed(reader.counts))
            for name, reader in self.readers.items()
        }
        nodes = {node.key: _state_of(node) for node in self.graph.nodes}
        return Checkpoint(
            0,
            "",
            self.identity,
            self.start,
            inputs,
            nodes,
            references=self.references.take(),
        )

    def _begin(self, checkpoint: Checkpoint, last: bool = False) -> None:
        """Let the outputs prepare, and save the rest behind the pipeline's back."""
        if self.letters is not None:
            self.letters.cut()
        self.reached("snapshot")
        self._moved = False
        if last:  # its snapshot was taken before the last rows went out
            self._began = time.monotonic()
        epoch = self.store.next_epoch()
        prepares = [
            (
                name,
                output,
                dict(output.rows()),
                output.writer.ask(partial(self._prepare, output.writer, epoch)),
            )
            for name, output in self.outputs.items()
        ]
        self._thread = threading.Thread(
            target=self._save,
            args=(checkpoint, epoch, prepares, last),
            name="checkpoint",
            daemon=True,
        )
        self._thread.start()

    def _save(
        self,
        checkpoint: Checkpoint,
        epoch: int,
        prepares: Sequence[tuple[str, Output, dict[str, int], Asked]],
        last: bool,
    ) -> None:
        try:
            outputs = {
                name: replace(asked.result(), rows=rows) for name, _, rows, asked in prepares
            }
            letters = self._prepare_letters()
            self.reached("prepared")
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            if last:
                whole = finished(checkpoint, epoch, now, outputs, letters)
            else:
                whole = replace(checkpoint, epoch=epoch, time=now, outputs=outputs, letters=letters)
                if self._before_end is checkpoint:
                    self._before_end = whole
            size = self.store.save(whole, lambda: self.reached("written"))
            self.reached("saved")
            commits = [o.writer.ask(lambda s: s.commit(epoch)) for _, o, _, _ in prepares]
            for commit in commits:
                commit.result()
            self.saved = epoch
            self.record.note(epoch, time.monotonic() - self._began, size)
            self.reached("committed")
            self.store.prune()
        except BaseException as error:  # noqa: BLE001 - raised in the pipeline's thread
            self._error = error
            self._give_up_letters()
        self.wake()

    def _give_up_letters(self) -> None:
        """Nobody waits for a checkpoint that will not be."""
        if self.letters is not None:
            with contextlib.suppress(RunError):
                self.letters.release()

    def _prepare(self, writer: OutputWriter, epoch: int, sink: Sink) -> OutputState:
        """Let an output prepare, in its thread: what it drops from here on comes after."""
        state = sink.prepare(epoch)
        if self.letters is not None:
            self.letters.cut(writer.name)
        return OutputState(state, {}, sink.name, sink.delivery, writer.dropped, writer.written)

    def _prepare_letters(self) -> dict[str, Any] | None:
        """Return how far the dead letters are: all parts of the job have added theirs."""
        if self.letters is None:
            return None
        state = self.letters.prepare()
        self.letters.release()
        return state


def _state_of(node: Node) -> NodeState:
    operator = node.operator
    return NodeState(operator.version, list(node.marks), node.mark, node.sent, operator.snapshot())


def _give(node: Node, state: NodeState) -> None:
    node.operator.restore(dict(state.state))
    node.marks, node.mark, node.sent = list(state.marks), state.mark, state.sent


def _misfit(place: str, what: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint in {place} does not fit this version of streamql: it {what}",
        hint="continue with the version that took it, or --from-start begins anew",
    )
