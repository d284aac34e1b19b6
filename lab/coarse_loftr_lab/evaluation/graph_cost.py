"""What an ONNX graph costs whatever runs it: multiplications and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GraphCost", "graph_cost"]

_PRODUCTS = ("Conv", "MatMul")
# Views of a tensor, and what is computed of shapes: no work of a GPU.
_FREE = {"Constant", "ConstantOfShape", "Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True)
class GraphCost:
    """The cost of one run.

    Attributes:
        macs: multiplications with addition in convolutions and matrix products.
        products: convolutions and matrix products, each of which is at least one kernel.
        operations: all nodes that compute, each of which is a kernel where nothing is fused.
        fused_bytes: read and written by convolutions and matrix products alone, with the weights:
            the traffic where everything else is fused into them and no cache holds anything.
        unfused_bytes: read and written by all operations.
        io_bytes: of the graph's inputs and outputs.
    """

    macs: int
    products: int
    operations: int
    fused_bytes: int
    unfused_bytes: int
    io_bytes: int

    def __add__(self, other: GraphCost) -> GraphCost:
        return GraphCost(*(a + b for a, b in zip(self._values(), other._values(), strict=True)))

    def _values(self) -> tuple[int, ...]:
        return tuple(vars(self).values())


def graph_cost(onnx_bytes: bytes, inputs: Mapping[str, NDArray[np.generic]]) -> GraphCost:
    """Count the cost of a graph for inputs of given shapes.

    The graph is run once by ONNX Runtime with every tensor as an output, so that shapes and types
    are those that occur.

    Args:
        onnx_bytes: the graph.
        inputs: arrays for all inputs.
    """
    import onnx
    import onnxruntime

    model = onnx.load_from_string(onnx_bytes)
    inferred = onnx.shape_inference.infer_shapes(model)
    known = {value.name: value for value in inferred.graph.value_info}
    outputs = [value.name for value in model.graph.output]
    made = [name for node in model.graph.node for name in node.output]
    model.graph.output.extend(known[name] for name in made if name in known and name not in outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    arrays = dict(zip(names, session.run(names, dict(inputs)), strict=True))
    arrays.update(inputs)
    arrays.update({t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer})

    cost = GraphCost(0, 0, 0, 0, 0, sum(arrays[name].nbytes for name in [*inputs, *outputs]))
    for node in model.graph.node:
        touched = [arrays[name] for name in (*node.input, *node.output) if name in arrays]
        if node.op_type in _FREE or all(array.dtype == np.int64 for array in touched):
            continue
        traffic = sum(array.nbytes for array in touched)
        product = node.op_type in _PRODUCTS
        cost += GraphCost(
            _macs(node.op_type, *touched) if product else 0,
            int(product),
            1,
            traffic if product else 0,
            traffic,
            0,
        )
    return cost


def _macs(kind: str, left: NDArray[np.generic], right: NDArray[np.generic], *rest) -> int:
    """Of a convolution (input, kernels, bias?, output) or a matrix product (a, b, output)."""
    each = right[0].size if kind == "Conv" else left.shape[-1]
    return rest[-1].size * each
