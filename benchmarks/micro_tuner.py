"""What `auto` makes of a server it does not know, next to the best settings that stay as they are.

    python benchmarks/micro_tuner.py [knee|refusing] [seconds tuned, 90] [seconds fixed, 15]

First a server with a knee (`knee_server.py`) and four requests in flight: `max_batch_count=auto`
has a minute to find the batch size, and is measured after it; then every fixed size is. Then a
server that refuses more than four requests at a time: `parallel_requests=auto`. Prints rows per
second, the settings that were found and when, and the share of refused requests after the minute.
The goals: at least 90 % of the best fixed setting, and no storm of retries.
"""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import pyarrow as pa
from figures import Figure, tell, words
from servers import serving

from streamql.udf.scoring import ScoringLoop, model_function

SETTLED = 60.0
CHUNK = 2_000
SIZES = (1_000, 2_000, 5_000, 10_000, 16_000, 20_000, 25_000)
LEAST = 90.0
"""Per cent of the best fixed setting that `auto` should reach."""
SERVER = "knee_server.py"


class Run:
    """A job's calls of a model with always enough rows, watched each second."""

    def __init__(self, url: str, seconds: float, **given: str) -> None:
        loop = ScoringLoop()
        given = {"signature": "off", **given}
        self.function = model_function("score", url, given, loop)
        self.scorer = self.function.open()
        self.seen: list[tuple[float, int, int, int, int, int]] = []
        rows = pa.array([str(n) for n in range(CHUNK)])
        events = np.arange(1, CHUNK + 1)
        tickets: deque = deque()
        began = last = answered = time.monotonic()
        done = 0
        while (now := time.monotonic()) < began + seconds:
            while not self.scorer.saturated:
                tickets.append(self.scorer.submit(rows, events))
            self.scorer.wait(0.05)
            while tickets and tickets[0].done:
                done += len(tickets.popleft().result())
                answered = time.monotonic()
            if now >= last + 1:
                last += 1
                self._look(answered - began, done)
        self._look(answered - began, done)
        self.scorer.close()
        loop.close()

    def _look(self, now: float, done: int) -> None:
        stats, tuner = self.scorer.stats, self.scorer._tuner
        refused = stats.retries["429"]
        self.seen.append((now, done, stats.requests, refused, tuner.batch, tuner.parallel))

    def rate(self, start: float) -> float:
        first = next(s for s in self.seen if s[0] >= start)
        last = self.seen[-1]
        return (last[1] - first[1]) / (last[0] - first[0])

    def refused(self, start: float, stop: float) -> tuple[int, int]:
        """Return the requests between two times, and how many of them were refused."""
        first = next((s for s in self.seen if s[0] >= start), self.seen[-1])
        last = next((s for s in self.seen if s[0] >= stop), self.seen[-1])
        return last[2] - first[2], last[3] - first[3]

    def found(self) -> tuple[int, int, float]:
        """Return the batch and the parallel requests at the end, and since when."""
        *_, batch, parallel = self.seen[-1]
        since = 0.0
        for now, *_, size, flying in self.seen:
            if (size, flying) != (batch, parallel):
                since = now
        return batch, parallel, since


def score(port: int) -> str:
    return f"http://127.0.0.1:{port}/score"


def knee(tuned: float, fixed: float) -> list[Figure]:
    print("a server with a knee, 4 requests in flight")
    with serving(SERVER) as port:
        url = score(port)
        run = Run(url, tuned, max_batch_count="auto:1-25000", parallel_requests="4")
        batch, _, since = run.found()
        auto = run.rate(min(SETTLED, tuned / 2))
        print(f"  auto     {auto:>9,.0f} rows/s   batch {batch:,} since {since:.0f} s")
        best = 0.0
        for size in SIZES:
            one = Run(url, fixed, max_batch_count=str(size), parallel_requests="4")
            rate = one.rate(min(3, fixed / 2))
            best = max(best, rate)
            print(f"  {size:>6,}   {rate:>9,.0f} rows/s")
        print(f"  auto reaches {auto / best:.0%} of the best fixed setting")
    return [
        Figure("the batch is found after", since, SETTLED, unit=" s"),
        Figure("share of the best fixed setting", 100 * auto / best, LEAST, True, " %"),
    ]


def refusing(tuned: float, _: float) -> list[Figure]:
    print("a server that refuses more than 4 requests at a time, batches of 1,000")
    with serving(SERVER, "4") as port:
        url = score(port)
        run = Run(url, tuned, parallel_requests="auto")
        _, parallel, since = run.found()
        first, refused_first = run.refused(0, SETTLED)
        sent, refused = run.refused(SETTLED, tuned)
        rate = run.rate(min(SETTLED, tuned / 2))
        print(f"  {parallel} requests in flight since {since:.0f} s, {rate:,.0f} rows/s of 20,000")
        print(f"  refused in the first minute: {refused_first:,} of {first:,} requests")
        found = [Figure("rows per second of 20,000 where more is refused", rate)]
        share = f" ({refused / sent:.2%})" if sent else ""
        print(f"  refused after it: {refused:,} of {sent:,} requests{share}")
        print("  unpaced, a client with 20 requests in flight:")
        run = Run(url, 15, parallel_requests="20")
        sent, refused = run.refused(0, 15)
        print(f"  refused: {refused:,} of {sent:,} requests ({refused / sent:.0%})")
    return found


WHAT = {"knee": knee, "refusing": refusing}

if __name__ == "__main__":
    given = [float(word) for word in words() if word not in WHAT]
    tuned, fixed = given + [90.0, 15.0][len(given) :]
    chosen = [word for word in words() if word in WHAT] or list(WHAT)
    tell([figure for what in chosen for figure in WHAT[what](tuned, fixed)])
