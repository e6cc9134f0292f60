"""A file system of fsspec over a directory, `faulty://`, on which a test lets things go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import fsspec
from fsspec.implementations.local import LocalFileSystem


class FaultyFileSystem(LocalFileSystem):
    """Calls `before` with each step and its path; what that raises, the step raises."""

    protocol = ("faulty",)
    cachable = False
    before: ClassVar[Callable[[str, str], None] | None] = None

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(str(path).removeprefix("faulty://"))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self._step("read" if "r" in mode else "write", path)
        return super()._open(path, mode, **options)

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        self._step("remove", path)
        super().rm(path, recursive, maxdepth)

    def find(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._step("list", path)
        return super().find(path, *arguments, **options)

    def _step(self, step: str, path: str) -> None:
        if type(self).before is not None:
            type(self).before(step, path)


fsspec.register_implementation("faulty", FaultyFileSystem, clobber=True)
