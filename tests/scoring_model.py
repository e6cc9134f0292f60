"""A scoring function in front of the adversary, on a clock that does not wait."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pyarrow as pa
from adversary import Adversary, Behaviour, Reply, Request, double, last

from streamql.column import Column
from streamql.udf.scoring import (
    ModelFunction,
    Scorer,
    ScoringLoop,
    ScoringSettings,
)
from streamql.udf.scoring.failure import Clock
from streamql.udf.scoring.function import ScoringFunction


class FastClock(Clock):
    """A clock that waits for nothing and remembers what it should have waited for."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def random(self) -> float:
        return 1.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


class Model:
    """A server, the function in front of it, and everything it said."""

    def __init__(self, server: Adversary, loop: ScoringLoop, **given: str) -> None:
        self.server = server
        self.clock = FastClock()
        self.warnings: list[str] = []
        self.letters: list[dict[str, Any]] = []
        values = {name.replace("__", "."): value for name, value in given.items()}
        self.function = ScoringFunction(
            "score", server.url, ScoringSettings.from_strings(values), loop, self.clock
        )
        self.function.on_warning = self.warnings.append
        self.function.on_dead_letter = self.letters.append

    def score(self, values: list[Any]) -> list[Any]:
        with opened(self.function) as scorer:
            ticket = put(scorer, values)
            scorer.flush()
            return finish(scorer, ticket).to_pylist()

    @property
    def stats(self) -> Any:
        return self.function.stats


class opened:  # noqa: N801 - reads as a function
    """A scorer that is closed."""

    def __init__(self, function: ModelFunction) -> None:
        self.scorer = function.open()

    def __enter__(self) -> Scorer:
        return self.scorer

    def __exit__(self, *exception: object) -> None:
        self.scorer.close()


def put(scorer: Scorer, values: list[Any], first: int = 1) -> Any:
    rows = pa.array([None if v is None else json.dumps(v, separators=(",", ":")) for v in values])
    return scorer.submit(rows.cast(pa.string()), np.arange(first, first + len(values)))


def finish(scorer: Scorer, ticket: Any) -> Column:
    deadline = time.monotonic() + 10
    while not ticket.done:
        scorer.wait(0.2)
        assert time.monotonic() < deadline, "the ticket is never done"
    return ticket.result()


def bad_rows(status: int, headers: dict[str, str] | None = None) -> Behaviour:
    """A model that refuses batches with a value below 0 in them."""

    def behave(request: Request) -> Reply:
        if any(last(row) is not None and last(row) < 0 for row in request.rows):
            return Reply(b"negative value", status, headers or {})
        return double(request)

    return behave
