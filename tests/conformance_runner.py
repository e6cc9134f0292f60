"""Reads the conformance corpus and runs its cases; the format is in tests/conformance/README.md.

    python tests/conformance_runner.py [WORD [CUTS]]  prints a line per case, or per case with WORD

`execute` is the only place that knows how the engine is called.
"""

import itertools
import json
import random
import sys
import tempfile
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comparer import Comparer

import streamql
from streamql.errors import CompileError, RunError, StreamqlError

CORPUS = Path(__file__).parent / "conformance"
Cuts = Literal["all", "one", "random", "restart"]
CUTS: tuple[Cuts, ...] = ("all", "one", "random", "restart")
Outputs = dict[str, list[dict]]


@dataclass(frozen=True)
class Case:
    """One folder of the corpus."""

    folder: Path
    facts: dict

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def query(self) -> str:
        return (self.folder / "query.sql").read_text(encoding="utf-8")

    @property
    def settings(self) -> dict[str, str]:
        return self.facts.get("settings") or {}

    def files(self, kind: str) -> dict[str, Path]:
        """Return the files of `inputs`, `references`, `functions` or `expected` by name."""
        return {path.stem: path for path in sorted((self.folder / kind).glob("*.js*"))}

    def expected(self) -> Outputs:
        """Return the rows that each output must receive."""
        return {name: rows(path) for name, path in self.files("expected").items()}

    def comparer(self) -> Comparer:
        """Return the comparer with this case's options."""
        options = self.facts.get("compare") or {}
        return Comparer(**options, ordered=self.facts.get("ordered", False))


def load(name: str) -> Case:
    """Return the case of this name."""
    folder = CORPUS / "cases" / name
    return Case(folder, json.loads((folder / "case.json").read_text(encoding="utf-8")))


def names() -> list[str]:
    """Return the names of all cases."""
    return sorted(path.parent.name for path in CORPUS.glob("cases/*/case.json"))


def disputed() -> dict[str, str]:
    """Return the cases whose expected rows we hold to be wrong, each with the argument."""
    return tomllib.loads((CORPUS / "disputed.toml").read_text(encoding="utf-8"))


def rows(path: Path) -> list[dict]:
    """Return the rows of a file of JSON lines. Integers stay integers of any size."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def batch_sizes(case: Case, cuts: Cuts) -> Iterator[int] | None:
    """Return how many events each next batch takes; None for as many as there are.

    With `restart` they come one by one, and every operator is replaced between any two by a new
    one that has nothing but the snapshot of the old one.

    Random cuts depend on the case's name alone, so that a failure repeats.
    """
    if cuts == "all":
        return None
    if cuts in ("one", "restart"):
        return itertools.repeat(1)
    rng = random.Random(zlib.crc32(case.name.encode()))
    return iter(lambda: rng.randint(1, 4), 0)


def execute(case: Case, cuts: Cuts, folder: Path) -> None:
    """Run the case through the public API; each output becomes `NAME.jsonl` in the folder."""
    fields = {"arrival_field": "$arrival", "metadata_field": "$meta"}
    with streamql.Engine(**fields, **case.settings) as engine:
        engine.cut = batch_sizes(case, cuts)
        engine.restart = cuts == "restart"
        for name, path in case.files("inputs").items():
            engine.register_uri(name, str(path))
        for name, path in case.files("references").items():
            engine.register_reference_uri(name, str(path))
        if case.files("functions"):
            engine.functions_from(case.folder / "functions")
        engine.job(case.query, output_dir=str(folder)).run()


def run_case(case: Case, cuts: Cuts) -> Outputs:
    """Run the case and return the rows of each output. Raises what the engine raises."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        execute(case, cuts, folder)
        return {path.stem: rows(path) for path in sorted(folder.glob("*.jsonl"))}


def failure(case: Case, cuts: Cuts) -> str | None:
    """Run the case; return None if it does what it must, else a sentence about what it did."""
    wanted = case.facts.get("expect_error")
    try:
        outputs = run_case(case, cuts)
    except StreamqlError as error:
        kind = {"compile": CompileError, "runtime": RunError}.get(wanted)
        if kind is not None and isinstance(error, kind):
            return None
        return f"{type(error).__name__}: {error}" + (f", expected a {wanted} error" * bool(wanted))
    if wanted:
        return f"it ran, expected a {wanted} error"
    expected = case.expected()
    # an engine may leave out the file of an output that received nothing
    for name in sorted(expected.keys() | outputs.keys()):
        if name not in expected:
            return f"unexpected output {name}: {outputs[name][:3]}"
        found = case.comparer().difference(outputs.get(name, []), expected[name])
        if found:
            return f"output {name}: {found}"
    return None


def main() -> None:
    """Print how each case fares: it passes, or what is wrong."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    cuts: Cuts = next((c for c in CUTS if c in sys.argv[2:]), "all")
    for name in names():
        if word in name:
            try:
                verdict = failure(load(name), cuts) or "passes"
            except Exception as error:  # a defect: show it and go on
                verdict = f"DEFECT {type(error).__name__}: {error}"
            sys.stdout.write(f"{name}: {verdict}\n")


if __name__ == "__main__":
    main()
