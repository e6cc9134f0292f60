"""Whether a run keeps memory that was freed, as glibc counts it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from watched_process import environment

# how many pieces of memory for themselves an array of 8 MB takes
PROGRAM = """
import ctypes, sys
from streamql.cli.startup import keep_freed_memory

class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

pieces = ctypes.CDLL(None).mallinfo
pieces.restype = Counts
if sys.argv[1] == "keep":
    keep_freed_memory()
before = pieces().hblks
array = b"x" * (8 << 20)
print(pieces().hblks - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's settings")
@pytest.mark.parametrize(
    ("how", "variables", "pieces"),
    [
        ("leave", {}, 1),
        ("keep", {}, 0),
        ("keep", {"MALLOC_ARENA_MAX": "2"}, 1),
    ],
    ids=["as it is", "kept", "somebody has set it otherwise"],
)
def test_arrays_come_from_memory_that_is_kept(how, variables, pieces):
    command = [sys.executable, "-c", PROGRAM, how]
    plain = {k: v for k, v in environment().items() if not k.startswith("MALLOC_")}
    told = subprocess.run(
        command, capture_output=True, text=True, env=plain | variables, check=True
    )
    assert int(told.stdout) == pieces
