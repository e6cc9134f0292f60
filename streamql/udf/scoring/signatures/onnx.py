"""Signatures from ONNX files; needs ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import os
from typing import Any

from ....errors import UsageError
from ....projects.files import missing
from ..signature import Signature
from ..tensors import Tensor, schema_of

_DATATYPES = {
    "float": "FP32",
    "double": "FP64",
    "float16": "FP16",
    "bfloat16": "BF16",
    "bool": "BOOL",
    "string": "BYTES",
} | {
    f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def of_onnx(path: str) -> Signature:
    """Return the signature of an ONNX file. Raises UsageError without ONNX Runtime, or a model."""
    return of_session(open_session(path), path)


def open_session(path: str, who: str = "", threads: int | None = None) -> Any:
    """Return an ONNX Runtime session; messages begin with `who`.

    Raises UsageError without ONNX Runtime, or where the file is no model.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError(
            f"{who}{path} needs ONNX Runtime", hint="pip install 'streamql[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # what goes wrong is told by the exceptions
    if threads is not None:
        options.intra_op_num_threads = threads
    if not os.path.isfile(path):
        raise missing(path, who)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from FILE failed:REASON"
        reason = str(error).strip().split("\n", 1)[0].rpartition(" : ")[2]
        reason = reason.removeprefix(f"Load model from {path} failed:").strip().rstrip(".")
        raise UsageError(
            f"{who}{path} is no ONNX model: {reason[:300]}",
            hint="a model is saved as ONNX by skl2onnx, torch.onnx.export or the like",
        ) from None


def of_session(session: Any, source: str) -> Signature:
    """Return the signature of an ONNX Runtime session (anything with its inputs and outputs)."""
    inputs = tuple(_tensor(one) for one in session.get_inputs())
    outputs = tuple(_tensor(one) for one in session.get_outputs())
    return Signature(source, schema_of(inputs), schema_of(outputs), {"inputs": inputs})


def _tensor(node: Any) -> Tensor:
    """Return a session's input or output: `tensor(float)`, [None, 'n', 3]."""
    kind = str(node.type).removeprefix("tensor(").removesuffix(")")
    shape = tuple(d if isinstance(d, int) and d >= 0 else -1 for d in node.shape or ())
    return Tensor(node.name, _DATATYPES.get(kind, kind), shape)
