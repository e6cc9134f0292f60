"""What is kept from being loaded at the start of a run, and what is loaded beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from threading import Thread
from types import ModuleType

_BLAS = "OPENBLAS_NUM_THREADS"
# glibc's names for what mallopt(3) sets
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


class _NoPandas:
    """Finds everything but pandas."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not loaded yet", name="pandas")
        return None


def skip_pandas() -> None:
    """Keep pyarrow from importing pandas by itself: 0.3 s of a run, where pandas is installed.

    pyarrow looks for pandas once, at the first `pyarrow.array(...)`, to be able to recognise its
    objects. A run on the command line meets none, unless an entry script makes them: then this is
    not to be called.
    """
    if "pandas" in sys.modules:
        return
    with _one_blas_thread():
        import pyarrow as pa

    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Load numpy without threads for its linear algebra, which only an entry script would use.

    They wait for work in a loop: 50 ms of CPU time. OpenBLAS reads the variable as it is loaded.
    """
    if _BLAS in os.environ:
        yield
        return
    os.environ[_BLAS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS]


def load_v8_meanwhile() -> None:
    """Begin to load V8 in a thread, beside the imports of a run that will call JavaScript.

    Of its 60 ms about half are spent without the interpreter lock. Whatever goes wrong there is
    told when the first function is loaded.
    """
    Thread(target=_load_v8, name="load V8", daemon=True).start()


def _load_v8() -> None:
    from ..udf import v8

    with suppress(Exception):
        v8.load()


def share_the_interpreter() -> None:
    """Let the threads of a run take turns quickly.

    Readers, the pipeline and writers spend their time in Arrow, numpy and V8, which let go of the
    interpreter lock; with the default of 5 ms each return from there waits for the others' turn.
    Measured on 4 million events: 2.9 s with 5 ms, 2.4 s with 0.2 ms, the same below. This is a
    setting of the whole process, so only the command line makes it.
    """
    sys.setswitchinterval(0.0002)


def keep_freed_memory() -> None:
    """Let the C library take arrays of up to 32 MB from memory that was freed before.

    glibc begins by asking the system for each array above 128 kB and giving it back at once, which
    stops the other threads, and only learns from what is freed; these are the values that it ends
    with. Measured on 4 million events: 3 to 4 per cent less time. Other C libraries are left alone,
    and so are values that somebody has set.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    import ctypes

    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(_MMAP_THRESHOLD, 32 << 20)
        adjust(_TRIM_THRESHOLD, 64 << 20)
