"""An explanation as plain values for JSON. What is here stays: programs read it."""

from __future__ import annotations

from typing import Any

from .model import Explanation, Step

VERSION = 1


def as_dict(found: Explanation) -> dict[str, Any]:
    """Return the explanation as docs/explain.md describes it."""
    return {"version": VERSION, "steps": [_step(step, found) for step in found.steps]}


def _step(step: Step, found: Explanation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "number": step.number,
        "kind": step.kind,
        "title": step.title,
        "reads": list(step.reads),
        "line": found.line(step),
        "facts": [{"label": label, "text": text} for label, text in step.facts],
    }
    if step.measured is not None:
        run = step.measured
        made["measured"] = {
            "rows_in": run.rows_in,
            "rows_out": run.rows_out,
            "seconds": round(run.seconds, 6),
            "cpu_seconds": round(run.cpu_seconds, 6),
            "state_bytes": run.state_bytes,
        }
    return made
