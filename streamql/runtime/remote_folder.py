"""A folder that a URI means, on any file system that pyarrow or fsspec know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import unquote

from ..connectors.uri import shown
from ..errors import CheckpointError, UsageError, suggest

_ARROW = ("s3", "gs", "abfs", "hdfs", "file")
_FLAT = frozenset({"s3", "gcs", "abfs"})
"""File systems (as pyarrow calls them) that need no folders: a name may have slashes in it."""
_HARMLESS = frozenset({"scheme", "endpoint_override", "region", "enable_tls"})
"""Options that are no secrets."""
_OPTION = re.compile(r"[?&]([^=&]*)=([^&]*)")
_EXTRA = "pip install 'streamql[fsspec]' brings it"


class RemoteFolder:
    """The files below a folder. What goes wrong is a CheckpointError, which shows no secret.

    Args:
        name: what messages call it.
        files: the file system, as pyarrow has it.
        root: the path of the folder.
        secrets: texts that no message may have.
    """

    def __init__(self, name: str, files: Any, root: str, secrets: tuple[str, ...] = ()) -> None:
        self.name = name
        self._files = files
        self._root = root.rstrip("/")
        self._secrets = secrets

    def list(self) -> list[str]:
        """Return the paths of all files, from this folder on; none when it is not there."""
        from pyarrow import fs

        with self._told("cannot read"):
            handler = getattr(self._files, "handler", None)
            if handler is not None:
                handler.fs.invalidate_cache()  # others write here as well
            selector = fs.FileSelector(self._root or "/", recursive=True, allow_not_found=True)
            found = self._files.get_file_info(selector)
        start = len(self._root.strip("/"))
        paths = [info.path.strip("/")[start:].strip("/") for info in found if info.is_file]
        return sorted(paths)

    def has(self, path: str) -> bool:
        """Tell whether there is a file."""
        with self._told("cannot read"):
            return bool(self._files.get_file_info(self._at(path)).is_file)

    def read(self, path: str) -> memoryview:
        """Return the content of a file. Raises FileNotFoundError."""
        with self._told("cannot read"):
            try:
                with self._files.open_input_file(self._at(path)) as file:
                    return memoryview(file.read_buffer())
            except FileNotFoundError:
                pass
        raise FileNotFoundError(path)

    def write(self, path: str, write: Callable[[Any], None]) -> int:
        """Write a file, put in place of one of the same name; return its size."""
        what, at = "cannot write to", self._at(path)
        with self._told(what):
            if self._files.type_name not in _FLAT:
                self._files.create_dir(at.rpartition("/")[0], recursive=True)
            output = _Output(self._files.open_output_stream(at), lambda: self._told(what))
        try:
            write(output)
        finally:
            with self._told(what):
                output.file.close()
        return output.size

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        with self._told("cannot remove a file in"):
            try:
                self._files.delete_file(self._at(path))
            except FileNotFoundError:
                return

    def remove_folder(self, path: str) -> None:
        """Remove a folder with all that is in it, if it is there."""
        with self._told("cannot remove a checkpoint in"):
            try:
                self._files.delete_dir(self._at(path))
            except FileNotFoundError:
                return

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Translate the errors of file systems, which may be of any class."""
        try:
            yield
        except Exception as error:
            raise CheckpointError(
                f"{what} {self.name}: {_reason(error, self._secrets)}",
                hint="see that the place is there and can be reached, and that this job may write "
                "to it",
            ) from error


class _Output:
    """A file that is being written; what goes wrong with it is told from what writes it."""

    def __init__(self, file: Any, told: Callable[[], AbstractContextManager[None]]) -> None:
        self.file = file
        self.size = 0
        self._told = told

    def write(self, data: Any) -> int:
        with self._told():
            self.file.write(data)
        size = memoryview(data).nbytes
        self.size += size
        return size

    def flush(self) -> None:
        """Nothing is kept back."""


def open_remote(uri: str) -> RemoteFolder:
    """Return the folder of a URI. Raises UsageError for one that nothing here can open."""
    import pyarrow as pa
    from pyarrow import fs

    name, secrets = _name(uri), _secrets(uri)
    try:
        files, root = fs.FileSystem.from_uri(uri)
    except pa.ArrowInvalid as error:
        if "Unrecognized filesystem type" not in str(error):
            raise UsageError(f"cannot open {name}: {_reason(error, secrets)}") from None
        files, root = _by_fsspec(uri, name, secrets)
    except (OSError, NotImplementedError) as error:
        raise UsageError(f"cannot open {name}: {_reason(error, secrets)}") from None
    if not root.strip("/"):
        raise UsageError(f"{name} names no folder", hint="write SCHEME://BUCKET/FOLDER")
    return RemoteFolder(name, files, root, secrets)


def _by_fsspec(uri: str, name: str, secrets: tuple[str, ...]) -> tuple[Any, str]:
    scheme = uri.partition("://")[0]
    try:
        import fsspec
    except ImportError:
        near = suggest(scheme, _ARROW)
        raise UsageError(
            f"{scheme}:// needs fsspec, which is not installed", hint=near or _EXTRA
        ) from None
    from pyarrow import fs

    known = {*fsspec.available_protocols(), *fsspec.registry}
    if scheme not in known:
        raise UsageError(
            f"no file system for {scheme}:// (in {name!r})",
            hint=suggest(scheme, sorted({*_ARROW, *known}))
            or "give a directory, or e.g. s3://BUCKET/FOLDER",
        )
    try:
        files, root = fsspec.url_to_fs(uri)
    except Exception as error:  # noqa: BLE001 - each file system has errors of its own
        raise UsageError(f"cannot open {name}: {_reason(error, secrets)}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(files)), root


def _name(uri: str) -> str:
    """Return a URI as messages may show it: no password, and no options."""
    whole, question, _ = uri.partition("?")
    return re.sub(r"(://[^:@/]*):.*@", r"\1:***@", shown(whole)) + ("?..." if question else "")


def _secrets(uri: str) -> tuple[str, ...]:
    """Return the texts of a URI that are nobody's business, the longest first."""
    login = re.search(r"://[^:@/]*:(.*)@", uri)
    found = [] if login is None else [login[1]]
    found += [value for key, value in _OPTION.findall(uri) if key not in _HARMLESS]
    both = {text for secret in found if secret for text in (secret, unquote(secret))}
    return tuple(sorted(both, key=len, reverse=True))


def _reason(error: BaseException, secrets: tuple[str, ...]) -> str:
    """Return the first line of what an error says, without secrets."""
    text = str(error)
    for secret in secrets:
        text = text.replace(secret, "***")
    line = text.strip().partition("\n")[0]
    line = re.sub(r"^\[Errno \d+\] | Detail: .*| \(Request ID: .*", "", line).rstrip(".")
    if not line:
        return type(error).__name__
    return line if line[1:2].isupper() else line[0].lower() + line[1:]
