"""Writes model.onnx: passengers and km of rides to their fares."""

import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("MatMul", ["ride", "rates"], ["fare"])],
    "fares",
    [helper.make_tensor_value_info("ride", TensorProto.FLOAT, ["n", 2])],
    [helper.make_tensor_value_info("fare", TensorProto.FLOAT, ["n", 1])],
    [helper.make_tensor("rates", TensorProto.FLOAT, [2, 1], [0.0, 2.5])],
)
opsets = [helper.make_opsetid("", 17)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), "model.onnx")
