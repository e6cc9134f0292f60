"""Entry scripts (score.py) in process, called as Azure ML's server calls them."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamql.column import Column, from_values
from streamql.errors import FunctionError, UsageError
from streamql.types import Type
from streamql.udf.diversion import stdout_to_stderr
from streamql.udf.scoring import ScoringLoop, ScoringSettings, scoring_function
from streamql.udf.scoring.function import ModelFunction

INIT = "import json\nimport numpy as np\n\ndef init():\n    pass\n\n"


def function(folder: Path, script: str, **given: str) -> ModelFunction:
    path = folder / "score.py"
    path.write_text(script)
    settings = ScoringSettings.from_strings(given)
    return scoring_function("score", str(path), settings, ScoringLoop())


def call(folder: Path, script: str, values: list[Any], **given: str) -> Column:
    return function(folder, script, **given).call([from_values(values)], len(values))


@pytest.mark.parametrize(
    ("run", "found", "kind"),
    [
        ("return [r[0] for r in json.loads(data)['data']]", [1, 2], Type.BIGINT),
        ("return json.dumps({'result': [0.5, 1.5]})", [0.5, 1.5], Type.FLOAT),
        ("return {'result': np.array([1.0, 2.0])}", [1.0, 2.0], Type.FLOAT),
        ("return np.array([3, 4])", [3, 4], Type.BIGINT),
        ("return [np.float64(1), np.int32(2)]", [1.0, 2], Type.NUMBER),
        ("return np.array([[1, 2], [3, 4]])", [[1, 2], [3, 4]], Type.ARRAY),
        ("return ('a', None)", ["a", None], Type.TEXT),
        ("return [data, 1]", ['{"data":[[1],[2]]}', 1], Type.ANY),
        ("return [{'p': np.float32(0.5)}] * 2", [{"p": 0.5}] * 2, Type.RECORD),
    ],
)
def test_what_run_returns(tmp_path: Path, run: str, found: list[Any], kind: Type) -> None:
    column = call(tmp_path, f"{INIT}def run(data):\n    {run}\n", [[1], [2]])
    assert column.to_pylist() == found
    assert column.type is kind


def test_pandas_results(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    script = INIT + "import pandas as pd\ndef run(data):\n    return {}\n"
    frame, series = "pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})", "pd.Series([1.5, 2.5])"
    assert call(tmp_path, script.format(frame), [1, 2]).to_pylist() == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert call(tmp_path, script.format(series), [1, 2]).to_pylist() == [1.5, 2.5]


def test_init_runs_once_and_the_folder_is_importable(tmp_path: Path) -> None:
    (tmp_path / "beside_the_script.py").write_text("FACTOR = 3\n")
    script = """
import json
calls = []
def init():
    from beside_the_script import FACTOR
    calls.append(FACTOR)
def run(raw_data, request_headers):
    return [len(calls) * calls[0] * row for row in json.loads(raw_data)["data"]]
"""
    made = function(tmp_path, script, max_batch_count="2")
    path = list(sys.path)
    assert made.call([from_values([1, 2, 3])], 3).to_pylist() == [3, 6, 9]
    assert made.call([from_values([4])], 1).to_pylist() == [12]
    assert made.stats.requests == 3
    assert made.stats.events == 4
    assert sys.path == path


def test_prints_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = """
print("loading")
def init():
    print("init")
def run(data):
    print("run")
    return [1]
"""
    real = sys.stdout
    call(tmp_path, script, [1])
    assert sys.stdout is real
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "loading\ninit\nrun\n"


def test_other_threads_keep_their_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with stdout_to_stderr(), stdout_to_stderr():
        print("script")
        other = threading.Thread(target=print, args=("rows",))
        other.start()
        other.join()
    assert capsys.readouterr() == ("rows\n", "script\n")


RAISES = (
    INIT
    + """def run(data):
    rows = json.loads(data)["data"]
    return [1 / row for row in rows]
"""
)


def test_an_exception_is_traced_to_its_row(tmp_path: Path) -> None:
    with pytest.raises(FunctionError) as caught:
        call(tmp_path, RAISES, [1, 2, 4, 0, 5, 0])
    error = caught.value
    assert error.row == 3
    assert "score.py, line 9): ZeroDivisionError: division by zero; row 0" in error.message


@pytest.mark.parametrize("count", ["1", "2", "1000"])
def test_on_error_for_scripts(tmp_path: Path, count: str) -> None:
    values = [1, 2, 0, 4, 0]
    column = call(tmp_path, RAISES, values, on_error="default: -1", max_batch_count=count)
    assert column.to_pylist() == [1.0, 0.5, -1, 0.25, -1]
    dropping = function(tmp_path, RAISES, on_error="dead_letter", max_batch_count=count)
    letters: list[dict[str, Any]] = []
    dropping.on_dead_letter = letters.append
    assert dropping.remote
    assert not function(tmp_path, RAISES).remote
    scorer = dropping.open()
    ticket = scorer.submit(pa.array([json.dumps(v) for v in values]), np.arange(7, 12))
    assert ticket.done
    assert ticket.result().to_pylist() == [1.0, 0.5, None, 0.25, None]
    assert ticket.skipped is not None
    assert ticket.skipped.tolist() == [False, False, True, False, True]
    assert [letter["event"] for letter in letters] == [9, 11]
    assert letters[0]["error"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("script", "said", "hint"),
    [
        ("def init(): pass\n", "has no function run()", "run(data)"),
        ("def run(data): pass\n", "has no function init()", ""),
        (INIT + "def run(): pass\n", "run() in", "def run(data)"),
        (INIT + "def run(*data): pass\n", "takes (*data)", "def run(data)"),
        ("x = (\n", "score.py, line 1: cannot be loaded: SyntaxError", ""),
        ("\nimport no_such_module_at_all\n", "line 2: cannot be loaded", "install no_such_module"),
        ("def init():\n    1 / 0\ndef run(d): pass\n", "line 2: init() failed: ZeroDiv", ""),
        ("def init():\n    raise SystemExit(3)\ndef run(d): pass\n", "SystemExit: 3", ""),
        (
            "import os\ndef init():\n    os.path.join(os.getenv('AZUREML_MODEL_DIR'), 'm')\n"
            "def run(d): pass\n",
            "line 3: init() failed: TypeError",
            "AZUREML_MODEL_DIR",
        ),
        (INIT + "def run(d):\n    return [1, 2]\n", "answered 2 results for 1 row", ""),
        (INIT + "def run(d):\n    return None\n", "answered null instead of a list", ""),
        (INIT + "def run(d):\n    return [object()]\n", "a Python value of type object", ""),
        (INIT + "def run(d):\n    return [float('nan')]\n", "answered NaN or infinity", ""),
        (INIT + "def run(d):\n    return str(d[99])\n", "line 8): IndexError", ""),
    ],
)
def test_scripts_that_do_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str, hint: str
) -> None:
    monkeypatch.delenv("AZUREML_MODEL_DIR", raising=False)
    with pytest.raises(FunctionError) as caught:
        call(tmp_path, script, [1])
    assert said in caught.value.message
    assert "score.py" in caught.value.message
    assert hint in (caught.value.hint or "")


def test_settings_without_meaning_for_a_script_are_refused(tmp_path: Path) -> None:
    for name, value in (("max_retries", "3"), ("breaker_pause", "30s"), ("header.X-Tenant", "t")):
        with pytest.raises(UsageError, match=rf"score\.{name} is a setting of models behind HTTP"):
            function(tmp_path, RAISES, **{name: value})


DECORATED = """
import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
def init():
    pass
@input_schema("rows", NumpyParameterType(np.array([[1.0, 2.0]])))
@output_schema(StandardPythonParameterType([1.0]))
def run(rows):
    assert isinstance(rows, np.ndarray)
    return rows.sum(axis=1)
"""


def test_decorated_scripts_get_their_parameters(tmp_path: Path) -> None:
    pytest.importorskip("inference_schema")
    rows = [[1.0, 2.0], [3.0, 4.0]]
    assert call(tmp_path, DECORATED, rows, parameter="rows").to_pylist() == [3.0, 7.0]
    assert call(tmp_path, DECORATED, rows).to_pylist() == [3.0, 7.0]  # as its swagger would say
    with pytest.raises(
        FunctionError, match="has a parameter 'rows', the request has 'values'"
    ) as e:
        call(tmp_path, DECORATED, rows, parameter="values")
    assert "score.parameter=rows" in str(e.value.hint)
