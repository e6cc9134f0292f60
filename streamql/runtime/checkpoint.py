"""What a checkpoint holds, and its two files: a JSON manifest, and the state beside it.

    manifest.json   {"crc32": "1c291ca3", "checkpoint": {...}}: positions, counters, watermarks,
                    what the job is, whose part of the state is where; its checksum first
    state.arrow     the snapshots of operators and outputs one after the other (`runtime.state`)

Everything is JSON or Arrow IPC; nothing is pickled, so that reading one runs nothing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InternalError
from .identity import Identity
from .state import ALIGNMENT, from_bytes, write_state
from .storage import MANIFEST, Write

VERSION = 1
"""The version of the format. A newer one is refused, an older one must stay readable."""

STATE = "state.arrow"
_HEAD = '{{"crc32": "{:08x}", "checkpoint":\n'
_HEAD_LENGTH = len(_HEAD.format(0))


class Damaged(Exception):
    """A checkpoint is not whole; the text says which file, and what is wrong with it."""


class NewerVersion(Exception):
    """A checkpoint was written by a newer version; the text is that version's number."""


@dataclass(frozen=True)
class InputState:
    """Where an input is: after the last event that the operators have taken.

    Attributes:
        position: what its source resumes from; None: from the start.
        ended: the operators have been told that it has ended.
        counts: its counters, as plain values.
    """

    position: Mapping[str, Any] | None
    ended: bool
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class NodeState:
    """An operator's state and the watermarks of its node.

    Attributes:
        version: that of the operator's snapshots.
        marks, mark, sent: as in `graph.Node`.
        state: its snapshot.
    """

    version: int
    marks: list[int]
    mark: int
    sent: int
    state: Mapping[str, Any]


@dataclass(frozen=True)
class OutputState:
    """What an output's sink left in `prepare`, and how many rows each output that it takes got.

    Attributes:
        dropped: how many of the rows it did not take, so that they were dropped.
        written: how many it took; None: nobody counted.
    """

    state: Any
    rows: Mapping[str, int]
    name: str = ""
    delivery: str = ""
    dropped: int = 0
    written: int | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to continue after `epoch`.

    Attributes:
        epoch: its number; the next one is higher.
        time: when it was taken, in ISO 8601 (UTC), for people.
        identity: the query, functions and settings it belongs to.
        start: the time that events without an arrival have, in ticks: a job keeps the one it began
            with.
        inputs, nodes, outputs: by name.
        finished: the outputs after the end of all inputs; None before. Operators and `outputs` are
            those before the end, so that longer inputs can be continued.
        letters, finished_letters: how far the dead letters are, in the same way; None: the job has
            no place for them.
        references: the versions of reference data that were in use (`reference_notes`).
    """

    epoch: int
    time: str
    identity: Identity
    start: int
    inputs: Mapping[str, InputState] = field(default_factory=dict)
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    outputs: Mapping[str, OutputState] = field(default_factory=dict)
    finished: Mapping[str, OutputState] | None = None
    letters: Mapping[str, Any] | None = None
    finished_letters: Mapping[str, Any] | None = None
    references: Mapping[str, Any] = field(default_factory=dict)


class _Summed:
    """Passes bytes on, and knows their number and checksum."""

    def __init__(self, output: Any) -> None:
        self._output = output
        self.size = 0
        self.crc = 0
        self.closed = False  # asked for by pyarrow

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.crc = zlib.crc32(view, self.crc)
        self._output.write(view)
        self.size += len(view)
        return len(view)

    def flush(self) -> None:
        """Nothing is kept back."""

    def fill(self) -> None:
        """Go on to a multiple of the alignment."""
        if rest := -self.size % ALIGNMENT:
            self.write(bytes(rest))


def files_of(checkpoint: Checkpoint) -> list[tuple[str, Write]]:
    """Return the files of a checkpoint, in the order in which they must be written."""
    sections: list[dict[str, int]] = []
    written: dict[str, int] = {}

    def state(file: Any) -> None:
        out = _Summed(file)
        for value in _states(checkpoint):
            out.fill()
            begin = out.size
            write_state(value, out)
            sections.append({"offset": begin, "bytes": out.size - begin})
        written.update(bytes=out.size, crc32=out.crc)

    def manifest(file: Any) -> None:
        plain = _plain(checkpoint, iter(sections).__next__)
        body = json.dumps({**plain, "files": {STATE: written}}, indent=1).encode() + b"}\n"
        file.write(_HEAD.format(zlib.crc32(body)).encode() + body)

    return [(STATE, state), (MANIFEST, manifest)]


def read_manifest(data: bytes) -> dict[str, Any]:
    """Return the manifest as plain values. Raises Damaged or NewerVersion."""
    head, body = data[:_HEAD_LENGTH], data[_HEAD_LENGTH:]
    if head != _HEAD.format(zlib.crc32(body)).encode():
        raise Damaged(f"{MANIFEST} has another content than its checksum says")
    plain: dict[str, Any] = json.loads(data)["checkpoint"]
    if plain["version"] > VERSION:
        raise NewerVersion(str(plain["version"]))
    return plain


def check_state(manifest: Mapping[str, Any], data: memoryview) -> None:
    """Compare the state with what the manifest says of it. Raises Damaged."""
    known = manifest["files"][STATE]
    if len(data) != known["bytes"]:
        raise Damaged(f"{STATE} has {len(data):,} bytes instead of {known['bytes']:,}")
    if zlib.crc32(data) != known["crc32"]:
        raise Damaged(f"{STATE} has another content than its checksum says")


def checkpoint_of(manifest: Mapping[str, Any], data: memoryview) -> Checkpoint:
    """Return the checkpoint of a manifest and a state that have been checked."""

    def state(entry: Mapping[str, Any]) -> Any:
        begin = entry["offset"]
        return from_bytes(data[begin : begin + entry["bytes"]])

    def outputs(entries: Mapping[str, Any]) -> dict[str, OutputState]:
        return {
            name: OutputState(
                state(e["state"]),
                e["rows"],
                e["name"],
                e["delivery"],
                e.get("dropped", 0),
                e.get("written"),
            )
            for name, e in entries.items()
        }

    finished = manifest["finished"]
    return Checkpoint(
        manifest["epoch"],
        manifest["time"],
        Identity.of_plain(manifest["identity"]),
        manifest["start"],
        {
            name: InputState(e["position"], e["ended"], e["counts"])
            for name, e in manifest["inputs"].items()
        },
        {
            name: NodeState(e["version"], e["marks"], e["mark"], e["sent"], state(e["state"]))
            for name, e in manifest["operators"].items()
        },
        outputs(manifest["outputs"]),
        None if finished is None else outputs(finished),
        manifest.get("letters"),
        manifest.get("finished_letters"),
        manifest.get("references", {}),
    )


def _states(checkpoint: Checkpoint) -> Sequence[Any]:
    """Return the snapshots in the order in which `_plain` asks for their places."""
    outputs = [*checkpoint.outputs.values(), *(checkpoint.finished or {}).values()]
    return [
        *(node.state for node in checkpoint.nodes.values()),
        *(output.state for output in outputs),
    ]


def _plain(checkpoint: Checkpoint, place: Callable[[], dict[str, int]]) -> dict[str, Any]:
    """Return the manifest; `place` gives the places of the snapshots one after the other."""

    def outputs(states: Mapping[str, OutputState]) -> dict[str, Any]:
        return {
            name: {
                "name": o.name,
                "delivery": o.delivery,
                "rows": dict(o.rows),
                "dropped": o.dropped,
                "written": o.written,
                "state": place(),
            }
            for name, o in states.items()
        }

    nodes = {
        name: {
            "version": n.version,
            "marks": n.marks,
            "mark": n.mark,
            "sent": n.sent,
            "state": place(),
        }
        for name, n in checkpoint.nodes.items()
    }
    inputs = {
        name: {"position": i.position, "ended": i.ended, "counts": i.counts}
        for name, i in checkpoint.inputs.items()
    }
    return {
        "version": VERSION,
        "epoch": checkpoint.epoch,
        "time": checkpoint.time,
        "start": checkpoint.start,
        "identity": checkpoint.identity.plain(),
        "inputs": inputs,
        "references": dict(checkpoint.references),
        "operators": nodes,
        "outputs": outputs(checkpoint.outputs),
        "finished": None if checkpoint.finished is None else outputs(checkpoint.finished),
        "letters": checkpoint.letters,
        "finished_letters": checkpoint.finished_letters,
    }


def finished(
    checkpoint: Checkpoint,
    epoch: int,
    time: str,
    outputs: Mapping[str, OutputState],
    letters: Mapping[str, Any] | None,
) -> Checkpoint:
    """Return the last checkpoint of a job: that before the end, with the outputs after it."""
    if checkpoint.finished is not None:
        raise InternalError("a job finishes once")
    return replace(checkpoint, epoch=epoch, time=time, finished=outputs, finished_letters=letters)
