"""The windows of GROUP BY: their kinds, sizes and identities."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import BindError, Span
from ..expressions.nodes import Expr
from ..plan.windows import Hopping, Session, Sliding, Snapshot, Window
from ..syntax import nodes as ast
from .durations import duration

BindKey = Callable[[ast.Expr], Expr]

_MOST_WINDOWS = 100_000
_WORDS = {
    "tumbling": ("duration", "offset"),
    "hopping": ("duration", "hop", "offset"),
    "sliding": ("duration",),
    "session": ("timeout", "maxduration"),
    "snapshot": (),
}
_USAGE = {
    "tumbling": "TumblingWindow(second, 10) or TumblingWindow(Duration(second, 10))",
    "hopping": "HoppingWindow(second, 10, 5): the size, then the hop",
    "sliding": "SlidingWindow(second, 10)",
    "session": "SessionWindow(second, 5, 60)",
    "snapshot": "System.Timestamp()",
}


def is_snapshot(item: ast.GroupItem) -> bool:
    """Tell whether an item of GROUP BY is System.Timestamp()."""
    return (
        isinstance(item, ast.Call)
        and item.name.text.lower() == "timestamp"
        and [p.text.lower() for p in item.prefix] == ["system"]
    )


def bind_windows(
    items: tuple[ast.GroupItem, ...], bind_key: BindKey
) -> tuple[tuple[Window, ...], tuple[ast.Expr, ...]]:
    """Return the windows of a GROUP BY and its keys. Raises BindError with place and hint.

    System.Timestamp() is a snapshot window if there is no other window, else a key.
    """
    found = [i for i in items if isinstance(i, ast.Window | ast.Windows)]
    if len(found) > 1:
        raise BindError(
            "GROUP BY takes one window", found[1].span, "several go into Windows(..., ...)"
        )
    keys = tuple(i for i in items if not isinstance(i, ast.Window | ast.Windows))
    if not found:
        snapshots = [k for k in keys if is_snapshot(k)]
        if not snapshots:
            raise BindError(
                "GROUP BY needs a window",
                items[0].span,
                "add TumblingWindow(second, 10), another window, or System.Timestamp()",
            )
        return (Snapshot(),), tuple(k for k in keys if not is_snapshot(k))
    if isinstance(found[0], ast.Windows):
        return _set(found[0], bind_key), keys
    return (_window(found[0], bind_key),), keys


def _set(node: ast.Windows, bind_key: BindKey) -> tuple[Window, ...]:
    windows: list[Window] = []
    seen: dict[str, Span] = {}
    named = [m.identity is not None for m in node.members if isinstance(m, ast.Window)]
    for member in node.members:
        if isinstance(member, ast.Windows):
            raise BindError(
                "Windows() cannot stand inside of Windows()",
                member.span,
                "list all windows in the outer one",
            )
        if any(named) and member.identity is None:
            raise BindError(
                "either all members of Windows() have an id, or none",
                member.span,
                "write Window('id', ...) around it",
            )
        if member.identity is not None:
            text = member.identity.value
            if not isinstance(text, str):
                raise BindError(
                    "the id of a window is a text",
                    member.identity.span,
                    "write Window('id', TumblingWindow(minute, 1))",
                )
            if text.lower() in seen:
                raise BindError(f"two windows have the id '{text}'", member.identity.span)
            seen[text.lower()] = member.identity.span
        windows.append(_window(member, bind_key))
    return tuple(windows)


def _window(node: ast.Window, bind_key: BindKey) -> Window:
    durations = _durations(node)
    identity = None if node.identity is None else str(node.identity.value)
    partition = tuple(bind_key(p) for p in node.partition_by)
    if partition and node.kind != "session":
        raise BindError(
            "only SessionWindow takes OVER (PARTITION BY ...)",
            node.partition_by[0].span,
            "other windows are per key of GROUP BY",
        )
    match node.kind:
        case "tumbling":
            size = durations["duration"]
            return Hopping(size, size, durations.get("offset", 0), identity)
        case "hopping":
            size, hop = durations["duration"], durations["hop"]
            if size // hop > _MOST_WINDOWS:
                raise BindError(
                    f"each event would lie in {size // hop:,} windows, {_MOST_WINDOWS:,} at most",
                    node.span,
                    "take a longer hop, or a SlidingWindow",
                )
            return Hopping(size, hop, durations.get("offset", 0), identity)
        case "sliding":
            return Sliding(durations["duration"], identity)
        case "session":
            return Session(durations["timeout"], durations["maxduration"], partition, identity)
        case _:
            return Snapshot(identity)


def _durations(node: ast.Window) -> dict[str, int]:
    """Return the durations by their role; bare ones have the role of their place."""
    roles = _WORDS[node.kind]
    found: dict[str, int] = {}
    for place, item in enumerate(node.durations):
        role = item.kind or (roles[place] if place < len(roles) else "")
        if role not in roles or role in found:
            raise BindError(f"a {node.kind} window does not take this", item.span, _usage(node))
        found[role] = duration(item, f"the {role} of a window", signed=role == "offset")
    missing = [r for r in roles if r not in found and r != "offset"]
    if missing:
        raise BindError(f"a {node.kind} window needs a {missing[0]}", node.span, _usage(node))
    return found


def _usage(node: ast.Window) -> str:
    return f"write {_USAGE[node.kind]}"
