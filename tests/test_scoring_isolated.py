"""Entry scripts in processes of their own: what raises, hangs, prints, exits or crashes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import streamql
from streamql.column import Column, from_values
from streamql.errors import FunctionError, UsageError
from streamql.udf.scoring import ModelFunction, ScoringLoop, model_function

SCRIPT = """
import ctypes, json, os, sys, time
def init():
    pass
def run(data):
    results = []
    for row in json.loads(data)["data"]:
        if row == "raise":
            raise ValueError("a bad row")
        if row == "exit":
            os._exit(7)
        if row == "quit":
            sys.exit("enough")
        if row == "crash":
            ctypes.string_at(0)
        if row == "hang":
            time.sleep(600)
        if row == "print":
            print("from Python")
            os.write(1, b"from below\\n")
        results.append({"nan": float("nan"), "set": {1}, "big": 2 ** 70}.get(row, row))
    return results
"""


@pytest.fixture
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


def isolated(folder: Path, loop: ScoringLoop, script: str = SCRIPT, **given: str) -> ModelFunction:
    path = folder / "score.py"
    path.write_text(script)
    return model_function("score", str(path), {"isolate": "true", **given}, loop)


def call(function: ModelFunction, values: list[Any]) -> Column:
    try:
        return function.call([from_values(values)], len(values))
    finally:
        function.close()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("raise", r"failed in run\(\) \(.*score.py, line 9\): ValueError: a bad row"),
        ("quit", r"failed in run\(\) .*SystemExit: enough"),
        ("exit", r"exited with status 7 in run\(\)"),
        ("crash", r"crashed with SIGSEGV in run\(\): Fatal Python error: Segmentation fault.*"),
        ("hang", r"did not answer within 0.5 s, and its process was ended"),
        ("nan", "NaN or infinity"),
        ("big", "Integer exceeds 64-bit range"),
        ("set", "what is not JSON"),
    ],
)
@pytest.mark.parametrize("policy", ["fail", "null"])
def test_a_bad_row_is_found_and_the_job_lives(
    tmp_path: Path, loop: ScoringLoop, bad: str, said: str, policy: str
) -> None:
    given = {"max_retries": "0", "attempt_timeout": "500ms", "on_error": policy}
    function = isolated(tmp_path, loop, **given)
    if policy == "null":
        assert call(function, [1, 2, bad, 4]).to_pylist() == [1, 2, None, 4]
        return
    with pytest.raises(FunctionError, match=said) as caught:
        call(function, [1, 2, bad, 4])
    assert caught.value.row == 2
    assert f'row "{bad}"' in caught.value.message


ONCE = """
import os
def init():
    pass
def run(data):
    mark = os.path.join(os.path.dirname(__file__), "mark")
    if not os.path.exists(mark):
        open(mark, "w").close()
        os._exit(1)
    return [os.getpid()]
"""


def test_a_worker_that_ends_is_replaced_and_the_rows_are_asked_again(
    tmp_path: Path, loop: ScoringLoop
) -> None:
    function = isolated(tmp_path, loop, ONCE)
    [pid] = call(function, [1]).to_pylist()
    assert pid != os.getpid()
    assert function.stats.requests == 2
    assert function.stats.retries == {"crash": 1}


def test_prints_go_to_standard_error(
    tmp_path: Path, loop: ScoringLoop, capfd: pytest.CaptureFixture[str]
) -> None:
    assert call(isolated(tmp_path, loop), ["print", 2]).to_pylist() == ["print", 2]
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.split("\n")) == ["", "from Python", "from below"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("def init():\n    1 / 0\ndef run(data):\n    pass\n", r"line 2: init\(\) failed: ZeroDiv"),
        ("def init():\n    pass\n", r"has no function run\(\)"),
        ("import no_such_module\n", "cannot be loaded: ModuleNotFoundError"),
        (
            "import os\ndef init():\n    os._exit(9)\ndef run(d):\n    pass\n",
            "exited with status 9",
        ),
        (
            "import time\ndef init():\n    time.sleep(600)\ndef run(d):\n    pass\n",
            "was not ready within 2 s",
        ),
    ],
)
def test_a_script_that_does_not_load(
    tmp_path: Path, loop: ScoringLoop, script: str, said: str
) -> None:
    with pytest.raises(FunctionError, match=said):
        isolated(tmp_path, loop, script, start_timeout="2s").open()


def test_cancelling_ends_the_processes(tmp_path: Path, loop: ScoringLoop) -> None:
    script = f"import os, time\ndef init():\n    open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ndef run(data):\n    time.sleep(600)\n"
    function = isolated(tmp_path, loop, script)
    scorer = function.open()
    import numpy as np
    import pyarrow as pa

    ticket = scorer.submit(pa.array(["1"]), np.array([1]))
    scorer.flush(final=True)
    scorer.cancel()
    assert ticket.done
    loop.close(5.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_several_processes_keep_the_order(tmp_path: Path, loop: ScoringLoop) -> None:
    script = SCRIPT.replace("results.append(", "results.append([os.getpid(), row]) or (")
    function = isolated(tmp_path, loop, script, parallel_requests="2", max_batch_count="5")
    found = call(function, list(range(100))).to_pylist()
    assert [row for _, row in found] == list(range(100))
    assert len({pid for pid, _ in found}) == 2


ROWS = [{"a": i, "b": i / 4, "t": f"x{i}"} for i in range(300)]
FARE = """
import json
def init():
    global FACTOR
    FACTOR = 3
def run(data):
    rows = json.loads(data)["data"]
    if any(row["a"] == 77 for row in rows):
        raise ValueError("77")
    return [{"fare": row["a"] * FACTOR + row["b"], "of": row["t"]} for row in rows]
"""
QUERY = """
WITH model AS (SELECT a, b, t FROM input)
SELECT udf.score(model) AS s INTO output FROM model
"""


@pytest.mark.parametrize("batch", ["7", "1000"])
@pytest.mark.parametrize("policy", ["null", "skip", "default: 5"])
def test_in_process_and_isolated_agree(tmp_path: Path, batch: str, policy: str) -> None:
    path = tmp_path / "score.py"
    path.write_text(FARE)
    found = []
    for isolate in (False, True):
        with streamql.Engine() as engine:
            engine.register("input", ROWS)
            engine.model(
                "score", str(path), isolate=isolate, max_batch_count=batch, on_error=policy
            )
            found.append(json.dumps(engine.sql(QUERY.replace("INTO output", "")).fetchall()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("spec", "given", "said"),
    [
        ("score.py", {"isolate": "maybe"}, "isolate takes true or false, found 'maybe'"),
        ("score.py", {"start_timeout": "1s"}, "start_timeout is a setting of scripts with"),
        (
            "score.py",
            {"isolate": "true", "key": "env:K"},
            "score.key is a setting of models behind",
        ),
        ("score.py", {"isolate": "true", "threads": "2"}, "score.threads is a setting of ONNX"),
        ("http://h/score", {"isolate": "true"}, "score.isolate is a setting of entry scripts"),
    ],
)
def test_settings_that_do_not_fit(
    tmp_path: Path, loop: ScoringLoop, spec: str, given: dict[str, str], said: str
) -> None:
    (tmp_path / "score.py").write_text(SCRIPT)
    place = spec if "://" in spec else str(tmp_path / spec)
    with pytest.raises(UsageError, match=said):
        model_function("score", place, given, loop)
