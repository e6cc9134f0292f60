"""Whether a file is the one it was: by its first bytes, which a file that only grows keeps."""

from __future__ import annotations

import hashlib
import os

HEAD_BYTES = 1024
"""How many of the first bytes are compared."""


def head_of(descriptor: int, size: int) -> str:
    """Return what tells a file by its first `size` bytes, of which no more than `HEAD_BYTES`."""
    data = os.pread(descriptor, min(size, HEAD_BYTES), 0)
    return f"{len(data)}:{hashlib.blake2b(data, digest_size=8).hexdigest()}"


def has_head(descriptor: int, head: str) -> bool:
    """Tell whether a file begins with the bytes that `head_of` was given."""
    return head_of(descriptor, int(head.partition(":")[0])) == head
