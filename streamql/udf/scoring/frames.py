"""What a job and a worker process with a model say to each other, over pipes.

A frame is a kind (one letter), the length of what follows (8 bytes, big-endian) and a JSON text.
To the worker go requests (the body as the model gets it); back come, first, whether the model is
ready, then one answer to each request.
"""

from __future__ import annotations

HEAD = 9
READY, REQUEST, VALUE, RESPONSE, RAISED, STOP = b"+", b"Q", b"V", b"R", b"X", b"S"
"""Ready; a request; run()'s value; a response object's parts; an exception; no use going on."""


def framed(kind: bytes, text: bytes) -> bytes:
    """Return a frame."""
    return kind + len(text).to_bytes(8, "big") + text


def opened(head: bytes) -> tuple[bytes, int]:
    """Return the kind of a frame and the length of its text, from its first HEAD bytes."""
    return head[:1], int.from_bytes(head[1:], "big")
