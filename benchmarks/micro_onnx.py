"""How fast an ONNX model scores rows in process, next to a bare loop of `session.run`.

    python benchmarks/micro_onnx.py [seconds per case]

Both take the same rows in the same batches of 1,000. The bare loop gets float32 tensors that are
there already; the function gets what a query gives it (the columns of a step, or arrays and records
as JSON text) and returns a column. Prints thousands of rows per second for both and the share that
is reached; the goal is 80 %. The model is a network of 10 inputs and two hidden layers; its size
decides how much there is to win, so that several are measured.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import orjson
import pyarrow as pa
from onnx import TensorProto, helper

from streamql.column import Column
from streamql.types import Type
from streamql.udf.scoring import ScoringLoop, model_function

FEATURES, ROWS, BATCH = 10, 50_000, 1_000


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
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        constants,
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))


def rate(work: Callable[[], object], seconds: float) -> float:
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return ROWS / best / 1_000


def main(seconds: float) -> None:
    values = np.round(np.random.default_rng(1).normal(size=(ROWS, FEATURES)) * 10, 3)
    tensors = [values[at : at + BATCH].astype(np.float32) for at in range(0, ROWS, BATCH)]
    names = [f"f{number}" for number in range(FEATURES)]
    rows = values.tolist()
    fields = {n: Column(Type.FLOAT, pa.array(values[:, at])) for at, n in enumerate(names)}
    columns = {
        "arrays": Column(Type.ARRAY, pa.array([orjson.dumps(r).decode() for r in rows])),
        "records": Column(
            Type.RECORD,
            pa.array([orjson.dumps(dict(zip(names, r, strict=True))).decode() for r in rows]),
        ),
    }
    print("hidden layers   bare k rows/s   a step         arrays         records")
    for width in (64, 256, 512, 1024):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            network(path, width)
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            bare = rate(lambda s=session: [s.run(None, {"x": t}) for t in tensors], seconds)
            line = f"2 x {width:<12}{bare:>12,.0f}  "
            given = {"max_batch_count": str(BATCH)}
            function = model_function("score", str(path), given, ScoringLoop())
            mine = rate(lambda f=function: f.call_fields(fields, ROWS), seconds)
            line += f"{mine:>8,.0f} {mine / bare:>4.0%}  "
            for column in columns.values():
                mine = rate(lambda f=function, c=column: f.call([c], ROWS), seconds)
                line += f"{mine:>8,.0f} {mine / bare:>4.0%}  "
            print(line)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
