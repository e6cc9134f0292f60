"""Who may write checkpoints where nothing can be locked: claims, files that are written anew.

    claim-ID.json           of a job that wants the place
    owner-TERM-ID.json      of the job that has it; its term is higher than all before it

A job writes its claim and looks at those of others afterwards, so that of two that come at once one
sees the other at least. One that is written anew while it looks belongs to a job that runs: the
place is taken. One that is not for `SILENCE` seconds, by the clock of who looks, is of a job that
has gone; so it is at once when its process is one of this machine that has ended. Who comes then
removes it, and takes a higher term. The job before, should it go on after all (it was held up, or
cut off), finds that out before its next checkpoint is there, and ends.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..errors import CheckpointError, UsageError
from .remote_folder import RemoteFolder

RENEWED = 5.0
"""Seconds after which an owner writes its claim anew."""
SILENCE = 20.0
"""Seconds after which a claim that stays as it is means nothing any more."""
_POLL = 0.5
_HELD: set[str] = set()
"""The claims of this process that were neither given up nor given back."""
_CLAIM = re.compile(r"(?:claim|owner-(\d+))-([0-9a-f]+)\.json")


@dataclass(frozen=True)
class Process:
    """A process among all of all machines; what cannot be known is empty.

    Attributes:
        number: its id.
        host: the name of its machine, for people.
        machine: the boot of its kernel and the namespace that its number belongs to.
        began: when it began, in ticks of that kernel.
    """

    number: int
    host: str
    machine: str
    began: str

    @classmethod
    def here(cls) -> Process:
        """Return this one."""
        number = os.getpid()
        return cls(number, socket.gethostname(), _machine(), _began(number) or "")

    @property
    def ended(self) -> bool:
        """Tell whether it is certain that it has ended."""
        known = bool(self.machine and self.began) and self.machine == _machine()
        return known and _began(self.number) != self.began

    def __str__(self) -> str:
        return f"process {self.number} on {self.host}"


class Claims:
    """The claim of one job to a folder.

    Args:
        folder: the place.
        clock, wait: for tests: seconds that rise, and what lets some pass.
        process: who claims.
        renewing: renew in a thread; tests do it by themselves.
    """

    def __init__(
        self,
        folder: RemoteFolder,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
        process: Process | None = None,
        renewing: bool = True,
    ) -> None:
        self.term = 0
        self._folder = folder
        self._clock = clock
        self._wait = wait
        self._process = process or Process.here()
        self._renewing = renewing
        self._id = secrets.token_hex(8)
        self._mine = ""
        self._renewals = 0
        self._lost = False
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, tell: Callable[[str], None] | None, terms: Callable[[str], int]) -> None:
        """Become the owner. Raises UsageError when another job is, CheckpointError.

        `tell` is told when that takes a while; `terms` gives the term that a file is of.
        """
        claim = f"claim-{self._id}.json"
        _HELD.add(self._id)
        try:
            self._write(claim)
            self._mine = claim
            self._outlast(tell)
            self.renew()  # whoever comes now has seen it, or it has been removed
            self.recall()
            self.term = 1 + max([self.term, *map(terms, self._folder.list())])
            owner = f"owner-{self.term:06}-{self._id}.json"
            self._write(owner)
            self._mine = owner
            self._folder.remove(claim)
        except BaseException:
            _HELD.discard(self._id)
            with suppress(CheckpointError):
                self._folder.remove(claim)
                self._folder.remove(self._mine)
            raise
        if self._renewing:
            self._thread = threading.Thread(target=self._renew, name="claim", daemon=True)
            self._thread.start()

    def renew(self) -> None:
        """Show that this job is there."""
        if not self._mine:
            return
        if not self._folder.has(self._mine):
            self._lost = True
        elif not self._lost:
            self._write(self._mine)

    def check(self) -> list[str]:
        """Return what files are there. Raises CheckpointError when another job has the place."""
        mine = (self.term, self._id)
        files = self._folder.list()
        owners = {owner: path for path in files if (owner := _owner(path))}
        later = max(owners, default=mine)
        if self._lost or mine not in owners or later > mine:
            self._lost = True
            other = self._read(owners[later]) if later > mine else None
            raise self._taken_over(other)
        for path in (path for owner, path in owners.items() if owner < mine):
            self._folder.remove(path)  # written by its owner after it had been removed
        return files

    def recall(self) -> None:
        """Raise CheckpointError when it is known that this job is not the owner any more."""
        if self._lost:
            raise self._taken_over(None)

    def release(self) -> None:
        """Let others have the place at once."""
        self._end.set()
        _HELD.discard(self._id)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._mine and not self._lost:
            with suppress(CheckpointError):  # out of reach: silence will do
                self._folder.remove(self._mine)
        self._mine = ""

    def _renew(self) -> None:
        while not self._end.wait(RENEWED):
            try:
                self.renew()
            except CheckpointError:
                continue  # out of reach for now; the next checkpoint tells if it stays so

    def _outlast(self, tell: Callable[[str], None] | None) -> None:
        """Wait until no claim of others means anything. Raises UsageError when one does."""
        seen: dict[str, tuple[str, float]] = {}
        told = renewed = None
        while True:
            now = self._clock()
            waiting = None
            for path in self._folder.list():
                if path == self._mine or _CLAIM.fullmatch(path) is None:
                    continue
                text = self._read(path)
                if text is None:
                    continue
                process = _process(text)
                before, since = seen.setdefault(path, (text, now))
                if text != before:
                    raise UsageError(
                        f"the checkpoints in {self._folder.name} are in use by another job "
                        f"({process or 'unknown'})",
                        hint="wait for it, stop it, or give this job a folder of its own",
                    )
                self.term = max(self.term, owner_term(path))
                if _has_gone(path, process) or now - since >= SILENCE:
                    self._folder.remove(path)
                else:
                    waiting = process or "unknown"
            if waiting is None:
                return
            if told is None:
                told = renewed = now
                if tell is not None:
                    tell(
                        f"the checkpoints in {self._folder.name} were in use by another job "
                        f"({waiting}): waiting up to {SILENCE:g} s for a sign of it"
                    )
            elif renewed is not None and now - renewed >= RENEWED:
                renewed = now
                self.renew()
            self._wait(_POLL)

    def _write(self, path: str) -> None:
        self._renewals += 1
        said = {
            **asdict(self._process),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "renewed": self._renewals,
        }
        text = json.dumps(said).encode()
        self._folder.write(path, lambda file: file.write(text))

    def _read(self, path: str) -> str | None:
        try:
            return bytes(self._folder.read(path)).decode(errors="replace")
        except FileNotFoundError:
            return None

    def _taken_over(self, other: str | None) -> CheckpointError:
        process = None if other is None else _process(other)
        who = "" if process is None else f" ({process})"
        return CheckpointError(
            f"another job{who} has taken over the checkpoints in {self._folder.name}",
            hint=f"this one was not heard of for {SILENCE:g} s; leave one of the two, or give "
            "each a folder of its own",
        )


def _has_gone(path: str, process: Process | None) -> bool:
    """Tell whether it is certain that nobody holds a claim any more."""
    if process is None:
        return False
    found = _CLAIM.fullmatch(path)
    ours = bool(process.machine) and process == Process.here()
    return process.ended or (ours and found is not None and found[2] not in _HELD)


def owner_term(path: str) -> int:
    """Return the term of an owner's file, 0 for another file."""
    owner = _owner(path)
    return 0 if owner is None else owner[0]


def _owner(path: str) -> tuple[int, str] | None:
    found = _CLAIM.fullmatch(path)
    return None if found is None or found[1] is None else (int(found[1]), found[2])


def _process(text: str) -> Process | None:
    try:
        said = json.loads(text)
        return Process(said["number"], said["host"], said["machine"], said["began"])
    except (ValueError, KeyError, TypeError):
        return None  # torn: as good as one of a process that nothing is known of


def _machine() -> str:
    """Return what tells this machine's numbers of processes from those of others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _began(number: int) -> str | None:
    """Return when a process began; None for one that is not there, or has ended."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
