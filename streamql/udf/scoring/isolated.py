"""Entry scripts in processes of their own: a model that crashes, exits or hangs ends only these.

A worker process is a transport like a server behind HTTP, so that batches, halves, retries with
growing pauses, time limits and `on_error` are those of `exchange` and `http_scorer`. A worker that
ends is replaced by a new one with the next request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from ...errors import FunctionError
from ...network.retry import Retry
from .exchange import Exchange
from .failure import Clock, Failure, of_exception, of_script, shortened
from .frames import HEAD, RAISED, READY, REQUEST, STOP, VALUE, framed, opened
from .function import ModelFunction
from .http_scorer import HttpScorer
from .loop import ScoringLoop
from .scorer import Scorer
from .settings import ScoringSettings
from .transport import Answer, Transport
from .tuner import Tuner
from .watch import Watch

_KEPT = 4_000
"""Characters of what a worker wrote that are kept to tell why it crashed."""
_FATAL = "Fatal Python error"
_CLOSING = 0.3
"""Seconds that a worker has to end by itself when the job does."""


@dataclass(frozen=True)
class IsolatedSettings:
    """What can be set about an isolated script beside `ScoringSettings`.

    Attributes:
        start_timeout: seconds that a process may take to load the script and run its init().
    """

    start_timeout: float = 600.0


class Worker:
    """One process with the script loaded. Belongs to the loop's thread."""

    def __init__(self, process: asyncio.subprocess.Process, log: Callable[[str], None]) -> None:
        self._process = process
        self._log = log
        self._said = ""
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def started(cls, alias: str, path: str, log: Callable[[str], None]) -> Worker:
        """Return a new process that loads the script."""
        # modules are found there as here, and a process group of its own keeps Ctrl-C from it
        places = os.pathsep.join(place for place in sys.path if place)
        module = f"{__package__}.worker"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-X", "faulthandler", "-m", module, alias, path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": places},
            start_new_session=True,
        )
        return cls(process, log)

    async def tell(self, text: bytes) -> None:
        """Send a request. Raises ConnectionError when the process is gone."""
        assert self._process.stdin is not None
        self._said = ""
        self._process.stdin.write(framed(REQUEST, text))
        await self._process.stdin.drain()

    async def hear(self, limit: int) -> tuple[bytes, bytes]:
        """Return the next frame's kind and text. Raises EOFError when the process is gone.

        Raises ValueError for a text of more than `limit` bytes.
        """
        assert self._process.stdout is not None
        kind, length = opened(await self._process.stdout.readexactly(HEAD))
        if length > limit:
            raise ValueError(f"{length:,} bytes")
        return kind, await self._process.stdout.readexactly(length)

    async def end(self) -> tuple[str, str]:
        """End the process, if it has not ended; return how it did, and what it said."""
        process = self._process
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _CLOSING)
        how = _ended(process.returncode)
        self._kill()
        await process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), _CLOSING)
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        # the report of a crash in native code comes after what the script printed
        fatal = self._said.find(_FATAL)
        return how, " ".join(self._said[max(fatal, 0) :].split())

    async def close(self) -> None:
        """Have the process end, by itself if it does so soon."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self.end()

    def kill(self) -> None:
        """End the process at once."""
        self._kill()

    def _kill(self) -> None:
        # the script may have started processes, which are in its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        """Pass on what the process writes to standard error."""
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(65_536):
            text = data.decode("utf-8", "replace")
            self._said = (self._said + text)[-_KEPT:]
            self._log(text)


def _ended(code: int | None) -> str:
    if code is None:
        return "stopped answering"
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"crashed with {signal.Signals(-code).name}"
    return f"exited with status {code}"


class WorkerTransport(Transport):
    """Carries bodies to worker processes, as many as there are requests at a time."""

    def __init__(self, alias: str, path: str, settings: ScoringSettings, start: float) -> None:
        self.target = path
        self._alias = alias
        self._start = start
        self._most = settings.max_answer_bytes
        self._free: list[Worker] = []
        self._all: set[Worker] = set()

    def warm(self) -> None:
        """Nothing is done before the first worker is started."""

    async def begin(self) -> None:
        """Start the first worker. Raises FunctionError when the script does not load."""
        try:
            self._free.append(await self._started())
        except Failure as failure:
            message = f"udf.{self._alias}: {self.target} {failure.cause}"
            if failure.body:
                message += f": {shortened(failure.body)}"
            raise FunctionError(message, hint=failure.hint) from None

    async def send(self, body: bytes, timeout: float) -> Answer:
        worker = self._free.pop() if self._free else await self._started()
        try:
            async with asyncio.timeout(timeout):
                await worker.tell(body)
                kind, text = await worker.hear(self._most)
        except TimeoutError:
            await self._gone(worker, kill=True)
            raise Failure(
                f"did not answer within {timeout:g} s, and its process was ended",
                Retry.NEVER,
                rows_to_blame=True,
                label="timeout",
            ) from None
        except (ConnectionError, EOFError):
            how, said = await self._gone(worker)
            raise Failure(
                f"{how} in run()", Retry.LIMITED, rows_to_blame=True, label="crash", body=said
            ) from None
        except ValueError as error:
            await self._gone(worker, kill=True)
            raise Failure(
                f"answered {error}, more than {self._alias}.max_answer_bytes={self._most}",
                Retry.NEVER,
                rows_to_blame=True,
                label="200",
            ) from None
        except BaseException:  # the job has ended meanwhile
            worker.kill()
            await self._gone(worker)
            raise
        self._free.append(worker)
        return self._answer(kind, text)

    def _answer(self, kind: bytes, text: bytes) -> Answer:
        """Return what a frame holds. Raises Failure."""
        if kind == VALUE:
            return Answer(text)
        found: dict[str, Any] = orjson.loads(text)
        if kind == STOP:
            cause = f"cannot be called: {found['message']}"
            raise Failure(cause, Retry.NEVER, label="script", hint=found["hint"])
        if kind == RAISED:
            raise of_exception(found["place"], found["said"])
        if found["status"] == 200:
            return Answer(found["text"].encode())
        raise of_script(found["status"], found["headers"], found["text"])

    async def _started(self) -> Worker:
        """Return a new worker that is ready. Raises Failure, or FunctionError of the script."""
        worker = await Worker.started(self._alias, self.target, _log)
        self._all.add(worker)
        try:
            async with asyncio.timeout(self._start):
                kind, text = await worker.hear(self._most)
        except TimeoutError:
            await self._gone(worker, kill=True)
            raise Failure(
                f"was not ready within {self._start:g} s",
                Retry.LIMITED,
                label="start",
                hint=f"set {self._alias}.start_timeout to give init() more time",
            ) from None
        except (ConnectionError, EOFError):
            how, said = await self._gone(worker)
            raise Failure(f"{how} in init()", Retry.LIMITED, label="start", body=said) from None
        except BaseException:
            worker.kill()
            await self._gone(worker)
            raise
        if kind != READY:
            await self._gone(worker)
            found = orjson.loads(text)
            raise FunctionError(found["message"], hint=found["hint"])
        return worker

    async def _gone(self, worker: Worker, *, kill: bool = False) -> tuple[str, str]:
        if kill:
            worker.kill()
        said = await worker.end()
        self._all.discard(worker)
        return said

    async def close(self) -> None:
        workers, self._all = list(self._all), set()
        self._free.clear()
        await asyncio.gather(*(worker.close() for worker in workers))


def _log(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class IsolatedFunction(ModelFunction):
    """An entry script in processes of its own; they are started when a scorer is opened."""

    remote: ClassVar[bool] = True
    parallel: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        path: str,
        settings: ScoringSettings,
        isolation: IsolatedSettings,
        loop: ScoringLoop,
    ) -> None:
        super().__init__(name, settings)
        self.path = path
        self._isolation = isolation
        self._loop = loop

    def open(self, partition: int = 0) -> Scorer:
        settings, clock = self.settings, Clock()
        sink = self._sink()
        # a scorer asks for no more of its transport than this one has
        transport: Any = self.transport()
        watch = Watch(self.name, transport.target, False, self._warn, clock)
        stats = self._counters()
        limits = settings.batch_limits, settings.parallel_limits
        tuner = Tuner(*limits, clock.now, settings.attempt_timeout)
        exchange = Exchange(self.name, transport, settings, stats, watch, clock, None, tuner)
        scorer = HttpScorer(settings, transport, exchange, stats, self._loop, sink, tuner)
        try:
            self._loop.run(transport.begin(), 2 * self._isolation.start_timeout)
        except BaseException:
            scorer.close()
            raise
        return self._recorded(scorer, transport)

    def transport(self) -> Transport:
        timeout = self._isolation.start_timeout
        return WorkerTransport(self.name, self.path, self.settings, timeout)
