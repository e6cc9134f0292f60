"""What steps are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from ..plan.nodes import (
    Analyze,
    Filter,
    Group,
    Join,
    Lookup,
    Narrow,
    Plan,
    Project,
    Recognize,
    Scan,
    Score,
    SetTime,
    Union,
    Unnest,
    Write,
)
from ..plan.windows import Hopping, Session, Sliding, Snapshot, Window
from ..units import spoken

KINDS: Mapping[type, str] = {
    Scan: "input", Narrow: "fields", SetTime: "time", Filter: "filter", Project: "select",
    Unnest: "apply", Score: "score", Analyze: "analyze", Group: "group", Join: "join",
    Lookup: "lookup", Recognize: "match", Union: "union", Write: "output",
}  # fmt: skip

_APPLIED = {
    "getarrayelements": "GetArrayElements",
    "getrecordproperties": "GetRecordProperties",
}


def title_of(plan: Plan) -> str:
    """Return the kind of a node and what tells it from others."""
    match plan:
        case Scan(input=name):
            return f"input {name}"
        case SetTime(input=name):
            return f"time of {name}"
        case Unnest(function=function, alias=alias, outer=outer):
            name = _APPLIED[function] if isinstance(function, str) else f"udf.{function.name}"
            return f"{'outer' if outer else 'cross'} apply {name} as {alias}"
        case Score(call=call):
            return f"{'call' if call.function.drops else 'score'} udf.{call.function.name}"
        case Join(right_key=right, outer=outer):
            return f"{'left ' * outer}join {right}"
        case Lookup(reference=name, outer=outer):
            return f"{'left ' * outer}join reference {name}"
        case Group(windows=windows):
            return "group by " + ", ".join(window_text(w) for w in windows)
        case Write(output=name):
            return f"output {name}"
        case _:
            return KINDS[type(plan)]


def window_text(window: Window) -> str:
    """Return a window in words."""
    match window:
        case Hopping(size=size, hop=hop, offset=offset):
            moved = f", moved by {spoken(abs(offset))}" if offset else ""
            if window.tumbling:
                return f"tumbling {spoken(size)}{moved}"
            return f"hopping {spoken(size)} every {spoken(hop)}{moved}"
        case Sliding(size=size):
            return f"sliding {spoken(size)}"
        case Session(timeout=timeout, maximum=most):
            return f"session, gap {spoken(timeout)}, at most {spoken(most)}"
        case Snapshot():
            return "snapshot (each instant)"
        case _:
            assert_never(window)
