"""Reads the conformance corpus and runs its cases; the format is in tests/conformance/README.md.

`streamql test tests/conformance/cases -k WORD` does the same by hand.
"""

import tomllib
from pathlib import Path

from streamql.testing.cases import Case
from streamql.testing.execution import BATCHES, Batches, run_case
from streamql.testing.folders import read_case
from streamql.testing.report import failure_lines

CORPUS = Path(__file__).parent / "conformance"
CUTS = BATCHES


def load(name: str) -> Case:
    """Return the case of this name."""
    return read_case(CORPUS / "cases" / name, name)


def names() -> list[str]:
    """Return the names of all cases."""
    return sorted(path.parent.name for path in CORPUS.glob("cases/*/case.json"))


def disputed() -> dict[str, str]:
    """Return the cases whose expected rows we hold to be wrong, each with the argument."""
    return tomllib.loads((CORPUS / "disputed.toml").read_text(encoding="utf-8"))


def failure(case: Case, cuts: Batches) -> str | None:
    """Run the case; return None if it does what it must, else what is wrong."""
    outcome = run_case(case, cuts)
    return None if outcome.passed else "\n".join(line.text for line in failure_lines(outcome))
