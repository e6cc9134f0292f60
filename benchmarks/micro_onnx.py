"""How fast an ONNX model scores rows in process, next to a bare loop of `session.run`.

    python benchmarks/micro_onnx.py [seconds per model] [--markdown]

Both take the same rows in the same batches of 1,000. The bare loop gets float32 tensors that are
there already; the function gets what a query gives it and returns a column:

    step       the columns of a step, udf.score(step)
    packed     udf.score(udf.pack(...)), both calls; the JavaScript packs its arguments
    computed   an array of numbers that JavaScript has computed (the call of that is not in it)
    arrays     arrays as JSON text
    records    records as JSON text

Prints thousands of rows per second of the bare loop and the share of it that each form reaches; the
goal is 80 % where no text is to be parsed. What is handed over costs the same for every model, so
that the size of the model decides how much there is to win: networks of 10 inputs and two hidden
layers, and ensembles of full binary trees over 10 inputs (`trees x depth`), the last one a
classifier that gives a label and the scores of both classes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import orjson
import pyarrow as pa
from figures import Figure, tell, words
from onnx import TensorProto, helper

from streamql.column import Column
from streamql.types import Type
from streamql.udf.javascript import JavaScriptRuntime, load_function
from streamql.udf.scoring import ScoringLoop, model_function

FEATURES, BATCH = 10, 1_000
ROWS = (50_000, 10_000)
"""How many rows a run takes, of a fast and of a slow model: many runs make a good best one."""
_SLOW = 0.05
"""Seconds of a run from which on a model is slow."""
NAMES = [f"f{number}" for number in range(FEATURES)]
_PAUSE = 0.05
"""Seconds before each run: the threads of a session wait busily for more, in the way of others."""
FORMS = {
    "step": "columns of a step",
    "packed": "packed arrays",
    "computed": "computed arrays",
    "arrays": "arrays as text",
    "records": "records as text",
}
LEAST = 80.0
"""Per cent of the bare loop that each form but text should reach."""
_TEXT = ("arrays", "records")
"""Forms of which JSON has to be parsed first, which the bare loop has not to do."""


def network(path: Path, width: int) -> None:
    random = np.random.default_rng(0)
    sizes = [FEATURES, width, width, 1]
    nodes, constants, source = [], [], "x"
    for layer, (rows, columns) in enumerate(pairwise(sizes)):
        weights = random.normal(size=(rows, columns)).astype(np.float32) / rows
        constants.append(onnx.numpy_helper.from_array(weights, f"w{layer}"))
        last = layer == len(sizes) - 2
        nodes.append(
            helper.make_node("MatMul", [source, f"w{layer}"], ["y" if last else f"m{layer}"])
        )
        if not last:
            nodes.append(helper.make_node("Relu", [f"m{layer}"], [f"r{layer}"]))
            source = f"r{layer}"
    save(path, nodes, [("y", TensorProto.FLOAT, ["n", 1])], constants)


def trees(path: Path, count: int, depth: int, classes: int = 0) -> None:
    """Write an ensemble of full binary trees: a regressor, or a classifier."""
    random = np.random.default_rng(0)
    inner, leaves = 2**depth - 1, 2**depth
    nodes = np.arange(inner + leaves)
    is_leaf = nodes >= inner
    each = {
        "nodes_nodeids": nodes,
        "nodes_truenodeids": np.where(is_leaf, 0, 2 * nodes + 1),
        "nodes_falsenodeids": np.where(is_leaf, 0, 2 * nodes + 2),
    }
    given: dict[str, Any] = {name: np.tile(values, count).tolist() for name, values in each.items()}
    given["nodes_treeids"] = np.repeat(np.arange(count), len(nodes)).tolist()
    given["nodes_modes"] = np.tile(np.where(is_leaf, "LEAF", "BRANCH_LEQ"), count).tolist()
    given["nodes_featureids"] = random.integers(0, FEATURES, count * len(nodes)).tolist()
    given["nodes_values"] = (random.normal(size=count * len(nodes)) * 10).tolist()
    kind = "class" if classes else "target"
    given[f"{kind}_treeids"] = np.repeat(np.arange(count), leaves).tolist()
    given[f"{kind}_nodeids"] = np.tile(nodes[is_leaf], count).tolist()
    given[f"{kind}_ids"] = (np.arange(count * leaves) % max(1, classes)).tolist()
    given[f"{kind}_weights"] = random.normal(size=count * leaves).tolist()
    if classes:
        given |= {"classlabels_int64s": list(range(classes)), "post_transform": "SOFTMAX"}
        outputs = [
            ("label", TensorProto.INT64, ["n"]),
            ("scores", TensorProto.FLOAT, ["n", classes]),
        ]
    else:
        given["n_targets"] = 1
        outputs = [("y", TensorProto.FLOAT, ["n", 1])]
    name = "TreeEnsembleClassifier" if classes else "TreeEnsembleRegressor"
    made = helper.make_node(name, ["x"], [o[0] for o in outputs], domain="ai.onnx.ml", **given)
    save(path, [made], outputs, [])


def save(
    path: Path, nodes: Sequence[Any], outputs: Sequence[Any], constants: Sequence[Any]
) -> None:
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info(*output) for output in outputs],
        constants,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


MODELS: Mapping[str, Callable[[Path], None]] = {
    "network 2 x 64": lambda path: network(path, 64),
    "network 2 x 256": lambda path: network(path, 256),
    "network 2 x 512": lambda path: network(path, 512),
    "network 2 x 1024": lambda path: network(path, 1024),
    "trees 20 x 5": lambda path: trees(path, 20, 5),
    "trees 100 x 6": lambda path: trees(path, 100, 6),
    "trees 500 x 8": lambda path: trees(path, 500, 8),
    "classes 100 x 6": lambda path: trees(path, 100, 6, 2),
}


def fastest(works: Sequence[Callable[[], object]], rows: int, seconds: float) -> list[float]:
    """Return thousands of rows per second of each, in its best run; they take turns."""
    best = [float("inf")] * len(works)
    for work in works:
        work()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for at, work in enumerate(works):
            time.sleep(_PAUSE)
            work()  # wakes the session's threads, and brings the rows into the cache
            began = time.perf_counter()
            work()
            best[at] = min(best[at], time.perf_counter() - began)
    return [rows / one / 1_000 for one in best]


def is_slow(work: Callable[[], object]) -> bool:
    work()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began > _SLOW


def bare_loop(session: onnxruntime.InferenceSession, tensors: Sequence[np.ndarray]) -> None:
    for tensor in tensors:
        session.run(None, {"x": tensor})


def forms(runtime: JavaScriptRuntime, values: np.ndarray) -> dict[str, Callable[[Any], object]]:
    """Return how a model is called for each form of the rows."""
    rows, count = values.tolist(), len(values)
    fields = {n: Column(Type.FLOAT, pa.array(values[:, at])) for at, n in enumerate(NAMES)}
    columns = list(fields.values())
    source = f"function f({', '.join(NAMES)}) {{ return [{', '.join(NAMES)}]; }}"
    pack = load_function("pack", source, "pack.js", runtime)
    compute = load_function("compute", source.replace("f9]", "f9 * 1]"), "c.js", runtime)
    for _ in range(2):  # the first call learns what comes back
        computed = compute.call(columns, count)
    named = [orjson.dumps(dict(zip(NAMES, row, strict=True))).decode() for row in rows]
    arrays = Column(Type.ARRAY, pa.array([orjson.dumps(row).decode() for row in rows]))
    records = Column(Type.RECORD, pa.array(named))
    return {
        "step": lambda model: model.call_fields(fields, count),
        "packed": lambda model: model.call([pack.call(columns, count)], count),
        "computed": lambda model: model.call([computed], count),
        "arrays": lambda model: model.call([arrays], count),
        "records": lambda model: model.call([records], count),
    }


def figures(shares: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    """Return each form's least share of the bare loop, of the shares by model and form."""
    found = []
    for form, about in FORMS.items():
        model = min(shares, key=lambda name: shares[name][form])
        text = f"{about}, share of a bare loop (least: {model})"
        limit = None if form in _TEXT else LEAST
        found.append(Figure(text, 100 * shares[model][form], limit, at_least=True, unit=" %"))
    return found


def main(seconds: float, markdown: bool) -> list[Figure]:
    most = max(ROWS)
    values = np.round(np.random.default_rng(1).normal(size=(most, FEATURES)) * 10, 3)
    tensors = [values[at : at + BATCH].astype(np.float32) for at in range(0, most, BATCH)]
    runtime = JavaScriptRuntime()
    calls = [forms(runtime, values[:count]) for count in ROWS]
    heads = ["model", "bare k rows/s", *FORMS]
    line = "| {:<17} | {:>13} |" + " {:>8} |" * len(FORMS)
    say(line.format(*heads))
    if markdown:
        say("|---|---:|" + "---:|" * len(FORMS))
    shares: dict[str, dict[str, float]] = {}
    for name, write in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            write(path)
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            model = model_function(
                "score", str(path), {"max_batch_count": str(BATCH)}, ScoringLoop()
            )
            model.prepare()
            slow = is_slow(partial(bare_loop, session, tensors))
            count = ROWS[slow]
            works = [
                partial(bare_loop, session, tensors[: count // BATCH]),
                *(partial(calls[slow][form], model) for form in FORMS),
            ]
            bare, *found = fastest(works, count, seconds)
        shares[name] = {form: one / bare for form, one in zip(FORMS, found, strict=True)}
        say(line.format(name, f"{bare:,.0f}", *(f"{one:.0%}" for one in shares[name].values())))
    runtime.close()
    return figures(shares)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    tell(main(float((words() or ["5"])[0]), "--markdown" in sys.argv[1:]))
