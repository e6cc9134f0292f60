"""The files that a function in Python or an ONNX model is made of, beside its own.

They are found in its text, without running it: modules that it imports from its folder, also those
that these import; files that it names, in its folder or in that of `AZUREML_MODEL_DIR`; the
external data of an ONNX model. What a script opens under a name that it puts together at run time,
downloads, or reads from a database is not known.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

_MOST = 1_000
"""Files that are looked at for one function."""
_MOST_TEXT = 4_000_000
"""Bytes of a Python file that is looked into."""
_LONGEST_NAME = 255
_PACKAGES = ("site-packages", "dist-packages")
_WRITING = re.compile(r"[wax]")
_EXTERNAL = re.compile(rb"\x0a\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])")


def beside(path: Path) -> dict[str, Path]:
    """Return the files, without `path` itself, by how they are called from its folder."""
    folder = path.resolve().parent
    if any(part in _PACKAGES for part in folder.parts):
        return {}  # what is installed has a version, and the whole of it
    found: dict[str, Path] = {}
    waiting = [path.resolve()]
    while waiting and len(found) < _MOST:
        for file in _named_in(waiting.pop()):
            file = file.resolve()
            name = os.path.relpath(file, folder)
            if file != path.resolve() and name not in found and len(found) < _MOST:
                found[name] = file
                waiting.append(file)
    return dict(sorted(found.items()))


def _named_in(path: Path) -> Iterator[Path]:
    """Yield the files that a file names."""
    if path.suffix == ".py":
        try:
            if path.stat().st_size <= _MOST_TEXT:
                yield from _of_python(path, ast.parse(path.read_bytes()))
        except (OSError, SyntaxError, ValueError):
            return  # whoever loads it tells
    elif path.suffix == ".onnx":
        yield from _of_onnx(path)


def _of_python(path: Path, tree: ast.Module) -> Iterator[Path]:
    written = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _writes(node)
        for argument in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in written:
            continue
        match node:
            case ast.Import(names=names):
                for name in names:
                    yield from _modules(path.parent, name.name)
            case ast.ImportFrom(module=module, names=names, level=level):
                folder = path.parent
                for _ in range(level - 1):
                    folder = folder.parent
                base = module or ""
                yield from _modules(folder, base)
                for name in names:
                    yield from _modules(folder, f"{base}.{name.name}".lstrip("."))
            case ast.Constant(value=str(text)):
                yield from _files(path.parent, text)
            case ast.Call(args=arguments):  # os.path.join(folder, "models", "a.bin")
                yield from _files(path.parent, "/".join(_texts(arguments)))
            case ast.BinOp(op=ast.Div()):  # folder / "models" / "a.bin"
                yield from _files(path.parent, "/".join(_divided(node)))
            case _:
                pass


def _writes(call: ast.Call) -> bool:
    """Tell whether a call opens a file to write it: such a file changes by itself."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    called = call.func.id if isinstance(call.func, ast.Name) else called
    if called in ("write_text", "write_bytes", "FileHandler", "to_csv", "dump", "mkdir"):
        return True
    modes = [*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode")]
    if called != "open":
        return False
    return any(
        isinstance(mode, ast.Constant)
        and isinstance(mode.value, str)
        and len(mode.value) <= 3
        and _WRITING.search(mode.value) is not None
        for mode in modes
    )


def _modules(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files of a module and of the packages it is in, if they lie in a folder."""
    parts = name.split(".") if name else []
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                yield file


def _files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files that are called so, in the folder and in that of models."""
    if not name or len(name) > _LONGEST_NAME or "\0" in name or "\n" in name:
        return
    for place in (folder, os.environ.get("AZUREML_MODEL_DIR", "")):
        if place and (file := Path(place) / name).is_file():
            yield file


def _texts(arguments: list[ast.expr]) -> list[str]:
    found = [a.value for a in arguments if isinstance(a, ast.Constant)]
    return [text for text in found if isinstance(text, str)]


def _divided(node: ast.expr) -> list[str]:
    """Return the texts of a path that is put together with slashes."""
    if isinstance(node, ast.BinOp):
        return [*_divided(node.left), *_divided(node.right)]
    return _texts([node])


def _of_onnx(path: Path) -> Iterator[Path]:
    """Yield the files with the external data of a model: protobuf entries with the key location."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    for match in _EXTERNAL.finditer(data):
        size = match[1][0] if len(match[1]) == 1 else (match[1][0] & 0x7F) | match[1][1] << 7
        name = data[match.end() : match.end() + size].decode(errors="replace")
        yield from _files(path.parent, name)
