"""`streamql checkpoint`: which checkpoints are in a place, and whether they are whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .report import width_of

if TYPE_CHECKING:
    from ..runtime.store import Store

_WIDE = 62
"""Columns that the list of checkpoints takes."""
_EPILOG = """\b
Examples:
  streamql checkpoint ls state
  streamql checkpoint show state
  streamql checkpoint check s3://bucket/state
"""


@click.group("checkpoint", epilog=_EPILOG, short_help="List, show and check checkpoints.")
def checkpoint_command() -> None:
    """Look at the checkpoints of a job; nothing is changed, and the job may be running.

    DIR is a directory, or a URI of an object store such as s3://bucket/state.
    """


@checkpoint_command.command("ls", epilog=_EPILOG)
@click.argument("directory", metavar="DIR")
def ls_command(directory: str) -> None:
    """List the checkpoints in DIR, the oldest first."""
    store = _store(directory)
    width = width_of(sys.stdout)
    narrow = width is not None and width < _WIDE  # then to the second, and without the bytes
    clock = 19 if narrow else 23

    def line(epoch: object, time: str, size: str, state: str) -> str:
        middle = "" if narrow else f"{size:>15}  "
        return f"{epoch:>{5 if narrow else 8}}  {time[:clock]:<{clock}}  {middle}{state}"

    click.echo(line("epoch", "time (UTC)", "bytes", "state"))
    for epoch, found in _all(store):
        if isinstance(found, str):
            click.echo(line(epoch, "", "", found))
            continue
        state = "finished" if found["finished"] is not None else "running"
        click.echo(line(epoch, _time(found), f"{_size(found):,}", state))


@checkpoint_command.command("show", epilog=_EPILOG)
@click.argument("directory", metavar="DIR")
@click.option("--epoch", type=int, help="Which one.  [default: the newest]")
def show_command(directory: str, epoch: int | None) -> None:
    """Show a checkpoint: positions, what operators hold, outputs, query and functions."""
    from ..errors import UsageError
    from ..runtime.checkpoint import Damaged, NewerVersion

    store = _store(directory)
    epochs = store.epochs()
    chosen = epochs[-1] if epoch is None else epoch
    if chosen not in epochs:
        listed = ", ".join(map(str, epochs))
        raise UsageError(f"{store.name} has no checkpoint {chosen}", hint=f"there is {listed}")
    try:
        manifest = store.manifest(chosen)
    except Damaged as error:
        raise UsageError(
            f"checkpoint {chosen} is damaged: {error}",
            hint="a job continues from the newest one that is whole; "
            f"streamql checkpoint ls {directory} lists them",
        ) from None
    except NewerVersion as error:
        raise UsageError(
            f"checkpoint {chosen} was written by a newer streamql: version {error} of the format",
            hint="install that version to look at it",
        ) from None
    for line in _shown(manifest):
        click.echo(line)


@checkpoint_command.command("check", epilog=_EPILOG)
@click.argument("directory", metavar="DIR")
@click.pass_context
def check_command(ctx: click.Context, directory: str) -> None:
    """Compare all checksums; exit with 1 when a checkpoint is damaged."""
    damaged = 0
    for epoch, found in _all(_store(directory), whole=True):
        damaged += isinstance(found, str)
        click.echo(f"checkpoint {epoch}: {found if isinstance(found, str) else 'whole'}")
    ctx.exit(1 if damaged else 0)


def _store(directory: str) -> Store:
    """Return the checkpoints in a folder. Raises UsageError when there are none."""
    from ..errors import UsageError
    from ..runtime.store import Store, open_storage

    if os.path.isfile(directory):
        raise UsageError(f"{directory} is no folder", hint="give the place of --checkpoint")
    store = Store(open_storage(directory), 1, lambda _: None)
    if not store.epochs():
        raise UsageError(
            f"there are no checkpoints in {store.name}", hint="give the place of --checkpoint"
        )
    return store


def _all(store: Store, whole: bool = False) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield the manifest of each checkpoint, or what is wrong with it."""
    from ..runtime.checkpoint import Damaged, NewerVersion

    for epoch in store.epochs():
        try:
            yield epoch, store.check(epoch) if whole else store.manifest(epoch)
        except Damaged as error:
            yield epoch, f"damaged: {error}"
        except NewerVersion as error:
            yield epoch, f"written in version {error} of the format, by a newer streamql"


def _time(manifest: dict[str, Any]) -> str:
    return str(manifest["time"])[:23].replace("T", " ")


def _size(manifest: dict[str, Any]) -> int:
    return sum(int(file["bytes"]) for file in manifest["files"].values())


def _shown(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield what a checkpoint says of itself, line by line."""
    from ..runtime.reference_notes import shown

    state = "the job has finished" if manifest["finished"] is not None else "the job goes on"
    yield f"checkpoint {manifest['epoch']}, {_time(manifest)} UTC, {state}"
    identity = manifest["identity"]
    yield f"query: {identity['query']}"
    for alias, made in identity["functions"].items():
        yield f"function {alias}: {made}"
    for name, value in identity["settings"].items():
        yield f"setting {name}: {value}"
    for name, entry in manifest["inputs"].items():
        yield f"input {name}: {entry['counts']['events']:,} events{_place(entry)}"
    for name, notes in manifest.get("references", {}).items():
        for note in notes:
            yield f"reference {name}: {shown(note)}"
    for name, entry in manifest["operators"].items():
        yield f"operator {name}: {entry['state']['bytes']:,} bytes"
    for outputs in (manifest["outputs"], manifest["finished"] or {}):
        after = " after the end" if outputs is manifest["finished"] else ""
        for entry in outputs.values():
            for name, rows in entry["rows"].items():
                yield f"output {name}{after}: {rows:,} rows to {entry['name']}, {entry['delivery']}"
    letters = manifest.get("finished_letters") or manifest.get("letters")
    if letters is not None:
        yield f"dead letters: {letters['bytes']:,} bytes"


def _place(entry: dict[str, Any]) -> str:
    position = (entry["position"] or {}).get("reader") or {}
    shown = ", ".join(f"{key} {value}" for key, value in position.items() if key != "head")
    return (f", at {shown}" if shown else "") + (", ended" if entry["ended"] else "")
