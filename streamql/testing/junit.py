"""Outcomes as a JUnit file, which build servers show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from ..errors import UsageError
from .execution import Outcome
from .report import failure_lines

_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML does not have."""


def write_junit(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write the outcomes to a file. Raises UsageError."""
    failed = [o for o in outcomes if not o.passed]
    broken = [o for o in failed if o.error is not None]
    facts = {
        "name": "streamql",
        "tests": str(len(outcomes)),
        "failures": str(len(failed) - len(broken)),
        "errors": str(len(broken)),
        "time": f"{sum(o.seconds for o in outcomes):.3f}",
    }
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", facts)
    for outcome in outcomes:
        name = _fit(outcome.name)
        group = _fit(outcome.case.place.parent.as_posix())
        seconds = f"{outcome.seconds:.3f}"
        case = ET.SubElement(suite, "testcase", classname=group, name=name, time=seconds)
        if not outcome.passed:
            lines = [line.text for line in failure_lines(outcome)]
            kind = "failure" if outcome.error is None else "error"
            said = ET.SubElement(case, kind, message=_fit(lines[0].strip()))
            said.text = _fit("\n".join(lines))
    ET.indent(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        reason = (error.strerror or "not writable").lower()
        raise UsageError(f"cannot write {path}: {reason}") from None


def _fit(text: str) -> str:
    return _UNFIT.sub("?", text)
