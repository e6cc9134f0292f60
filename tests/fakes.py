"""Stand-ins for what lies outside: a remote function without a network."""

import numpy as np
import orjson

from streamql.column import from_values
from streamql.errors import FunctionError
from streamql.functions.registry import Function, Volatility
from streamql.types import Type


class FakeRemote(Function):
    """A remote function that answers from a Python function; tickets are done when `answer` says.

    `asked` lists the values it was sent, in their order.
    """

    volatility = Volatility.STABLE
    remote = True

    def __init__(self, name, answer, *, delay=0):
        self.name = name
        self.asked = []
        self._answer = answer
        self._delay = delay

    def check(self, types, span, spans):
        return Type.ANY

    def call(self, columns, count):
        raise AssertionError("a remote call must have been lifted")

    def partitioned(self, partitions):
        return _FakeScorer(self)


class _Stats:
    requests = 0


class _FakeScorer:
    def __init__(self, function):
        self.function = function
        self.stats = _Stats()
        self.on_progress = None
        self.tickets = []

    def submit(self, texts, events):
        values = [None if t is None else orjson.loads(t) for t in texts.to_pylist()]
        self.function.asked += values
        ticket = _Ticket(values, self.function._answer, self.function._delay)
        self.tickets.append(ticket)
        self.stats.requests += 1
        return ticket

    saturated = False
    ordered = True

    def flush(self, final=False):
        pass

    def wait(self, timeout):
        for ticket in self.tickets:
            ticket.delay = max(0, ticket.delay - 1)

    def cancel(self):
        pass


class _Ticket:
    def __init__(self, values, answer, delay):
        self.values = values
        self.answer = answer
        self.delay = delay
        self.skipped = None

    @property
    def done(self):
        self.delay -= 1
        return self.delay < 0

    def result(self):
        answers = []
        self.skipped = np.zeros(len(self.values), bool)
        for row, value in enumerate(self.values):
            answer = self.answer(value)
            if answer == "skip":
                self.skipped[row] = True
            if answer == "fail":
                raise FunctionError("it failed", row=row)
            answers.append(answer)
        return from_values(answers)
