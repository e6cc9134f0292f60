"""The taxi sample as the tests see it: its files, its model, its entry script."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent.parent / "samples" / "taxi"
EVENTS = FOLDER / "events.jsonl"
QUERIES = ("score_array", "score_dataframe", "score_dataframe_from_step")
NEEDS = ("joblib", "sklearn")
_LOADED = itertools.count(1)


def query(name: str) -> str:
    """Return the text of one of the sample's queries."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def create_array() -> str:
    """Return the source of udf.createArray."""
    return (FOLDER / "functions" / "createArray.js").read_text(encoding="utf-8")


def events(count: int) -> list[dict[str, str]]:
    """Return the first events."""
    with EVENTS.open(encoding="utf-8") as lines:
        return [json.loads(next(lines)) for _ in range(count)]


def train() -> None:
    """Make the model unless `make` has done so."""
    if (FOLDER / "model.joblib").exists():
        return
    made = FOLDER / f"model.{os.getpid()}.joblib"  # others may be making it at the same time
    subprocess.run([sys.executable, "train.py", made], cwd=FOLDER, check=True, timeout=120)
    made.replace(FOLDER / "model.joblib")


def module(name: str) -> ModuleType:
    """Return a script of the sample as a fresh module.

    Each gets a name of its own: inference-schema refuses a second schema for one module's `run`.
    """
    unique = f"taxi_{name}_{next(_LOADED)}"
    spec = importlib.util.spec_from_file_location(unique, FOLDER / f"{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def installed(*packages: str) -> bool:
    """Return whether all these packages can be imported."""
    return all(importlib.util.find_spec(package) for package in packages)
