"""Ctrl-C in the middle of handing a batch over to an output's thread: the output still ends."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pyarrow as pa
import pytest

from streamql.batch import MAIN, Batch
from streamql.column import Column
from streamql.connectors.contract import Sink
from streamql.rows import ColumnRows
from streamql.runtime.writers import OutputWriter
from streamql.types import Type

PATIENCE = 30.0
MOST_STEPS = 200


class Kept(Sink):
    """Counts what it is given, and tells when all of it was taken."""

    def __init__(self):
        self.rows = 0
        self.closed = False
        self.idle = threading.Event()

    def write(self, names, columns):
        self.rows += len(columns[0])

    def write_records(self, texts):
        self.rows += len(texts)

    def flush(self):
        self.idle.set()

    def close(self):
        self.closed = True


def batch():
    columns = {"a": Column(Type.BIGINT, pa.array([1]))}
    return Batch({MAIN: ColumnRows(columns, 1)}, np.array([1]), np.array([1]))


def interrupted(step, action):
    """Do something, and be interrupted at this line of Python; return whether there was one."""
    left = step

    def trace(frame, event, argument):
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


def test_an_output_ends_wherever_its_last_batch_was_interrupted():
    for step in range(1, MOST_STEPS):
        sink = Kept()
        writer = OutputWriter("o", sink)
        writer.put(batch())
        assert sink.idle.wait(PATIENCE)
        sink.idle.clear()
        was = interrupted(step, lambda writer=writer: writer.put(batch()))
        sink.idle.wait(0.02)  # the thread may have got it, or not
        ending = threading.Thread(target=writer.finish, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        assert not ending.is_alive(), f"interrupted at step {step}"
        assert sink.closed
        assert sink.rows in (1, 2)
        if not was:
            break
    else:
        pytest.fail("handing over takes more steps than that")
