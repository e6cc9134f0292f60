"""What a checkpoint knows of the files that functions are made of."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import streamql
from streamql.errors import UsageError
from streamql.udf import fingerprint
from streamql.udf.beside import beside

SCORE = """import json, os
import helper
from inner import part
from inner.deep import thing as other
from pathlib import Path

def init():
    global model
    with open(os.path.join(os.path.dirname(__file__), "model.joblib"), "rb") as file:
        model = file.read()
    with open("log.txt", "a") as log:
        log.write("begun")
    Path("said.txt").write_text("begun")
    open(Path(__file__).parent / "models" / "a.bin").read()
    os.path.join(os.getenv("AZUREML_MODEL_DIR", "."), "weights", "w.bin")

def run(data):
    return [row for row in json.loads(data)["data"]]
"""
FILES = {
    "score.py": SCORE,
    "helper.py": "import further\nimport numpy\nfrom . import missing",
    "further.py": "",
    "inner/__init__.py": "",
    "inner/part.py": "from . import sibling\nfrom .. import helper",
    "inner/sibling.py": "",
    "inner/deep/__init__.py": "",
    "inner/deep/thing.py": "",
    "inner/unused.py": "",
    "model.joblib": "m",
    "models/a.bin": "a",
    "models/unused.bin": "b",
    "log.txt": "l",
    "said.txt": "s",
    "data": "a key of JSON that is a file's name, too",
}
OF_SCORE = {
    "helper.py", "further.py", "inner/__init__.py", "inner/part.py", "inner/sibling.py",
    "inner/deep/__init__.py", "inner/deep/thing.py", "model.joblib", "models/a.bin", "data",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def test_the_files_that_a_script_is_made_of(folder, monkeypatch, tmp_path):
    assert set(beside(folder / "score.py")) == OF_SCORE
    (tmp_path / "elsewhere" / "weights").mkdir(parents=True)
    (tmp_path / "elsewhere" / "weights" / "w.bin").write_text("w")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path / "elsewhere"))
    more = os.path.join("..", "elsewhere", "weights", "w.bin")
    assert set(beside(folder / "score.py")) == OF_SCORE | {more}


def test_installed_packages_are_not_taken_apart():
    assert beside(Path(np.__file__)) == {}


def test_a_file_that_cannot_be_read_is_in_nobodys_way(tmp_path):
    (tmp_path / "odd.py").write_bytes(b"def \xff\0(")
    assert beside(tmp_path / "odd.py") == {}
    assert fingerprint.of_file("model", str(tmp_path / "none.py")).endswith("none.py")


def test_modules_that_import_each_other_come_to_an_end(tmp_path):
    (tmp_path / "a.py").write_text("import b\nNAME = 'a.py'")
    (tmp_path / "b.py").write_text("import a, b")
    assert list(beside(tmp_path / "a.py")) == ["b.py"]


def test_the_external_data_of_a_model(tmp_path):
    weights = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 64])],
        [weights],
    )
    for name in ("w.bin", "long-" * 40 + ".bin"):
        path = tmp_path / "model.onnx"
        made = helper.make_model(graph)
        onnx.save_model(
            made, str(path), save_as_external_data=True, location=name, size_threshold=0
        )
        assert list(beside(path)) == [name]
        before = fingerprint.of_model(str(path))
        data = bytearray((tmp_path / name).read_bytes())
        data[-1] ^= 1
        (tmp_path / name).write_bytes(data)
        assert fingerprint.of_model(str(path)) != before


def run(folder, spec, tmp_path, stop=False, **flags):
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"v": v}) + "\n" for v in range(400)))
    with streamql.Engine(batch_bytes=1024) as engine:
        engine.register_uri("a", str(tmp_path / "in.jsonl"))
        if spec is None:
            engine.functions_from(folder)
        else:
            engine.function_from("f", spec)
        job = engine.job(
            "SELECT udf.f(v) AS x INTO o FROM a",
            outputs={"o": str(tmp_path / "o.jsonl")},
            checkpoint=tmp_path / "state",
            **flags,
        )
        if stop:
            job.stop()
        return job.run()


PYTHON = "import helper\ndef f(v):\n    return helper.NUMBER + v\n"
JAVASCRIPT = "function f(v) { return number() + v; }"
CASES = {
    "python": ({"own.py": PYTHON, "helper.py": "NUMBER = 1"}, "own.py:f", "helper.py"),
    "javascript": ({"f.js": JAVASCRIPT, "_lib.js": "function number() { return 1; }"}, None, None),
    "script": (
        {
            "score.py": "import json\ndef init():\n    global n\n    with open('n.txt') as file:\n        n = int(file.read())\n"
            "def run(data):\n    return [n + v for v in json.loads(data)['data']]\n",
            "n.txt": "1",
        },
        "score.py",
        "n.txt",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_helper_that_has_changed_is_noticed(name, tmp_path, monkeypatch):
    files, spec, said = CASES[name]
    folder = tmp_path / name
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
    monkeypatch.chdir(folder)
    spec = None if spec is None else f"{folder}/{spec}"
    assert run(folder, spec, tmp_path, stop=True).checkpoints.stopped
    (folder / "beside").write_text("of no interest")
    assert run(folder, spec, tmp_path, stop=True).checkpoints.resumed
    helper = said or "_lib.js"
    (folder / helper).write_text(files[helper].replace("1", "2"))
    shown = "" if said is None else rf" \({said}\)"
    with pytest.raises(UsageError, match=rf"udf\.f{shown} has changed since") as caught:
        run(folder, spec, tmp_path)
    assert "--allow-changed-functions" in caught.value.hint
    assert run(folder, spec, tmp_path, allow_changed_functions=True).events == 400


def test_a_module_is_known_by_its_file(tmp_path, monkeypatch):
    (tmp_path / "known_by_file.py").write_text("def f(v):\n    return v\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with streamql.Engine() as engine:
        engine.function_from("f", "known_by_file:f")
        before = engine.functions.made_of()["f"]
        (tmp_path / "known_by_file.py").write_text("def f(v):\n    return v + 1\n")
        assert "sha256:" in before
        assert engine.functions.made_of()["f"] != before


def test_what_is_in_no_other_file_has_the_fingerprint_it_always_had(tmp_path):
    """Checkpoints of older versions are continued."""
    (tmp_path / "f.py").write_text("def f(v): return v\n")
    made = fingerprint.of_file("python", str(tmp_path / "f.py"))
    assert made == fingerprint.of_texts("python", ["def f(v): return v\n"])
    said = fingerprint.with_settings(f"{made}; a.py sha256:0", {"on_error": "null"})
    assert said == f"{made} on_error=null; a.py sha256:0"
