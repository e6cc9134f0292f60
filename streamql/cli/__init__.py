"""The command line: parse, call the engine, print.

One command a file. `group.py` holds the commands together and is the one place where errors end.
Rows go to standard output, everything else to standard error. Modules import only click at their
top, so that `streamql --version` starts at once.
"""

from __future__ import annotations

import sys

try:
    from .group import main
except KeyboardInterrupt:  # within the 50 ms before anything is there to end it with
    sys.stderr.write("interrupted\n")
    raise SystemExit(130) from None

__all__ = ["main"]
