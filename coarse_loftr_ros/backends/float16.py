"""float16 where the weights are, float32 where sums and normalisations are.

Convolutions and the products with trained matrices hold nearly all of the arithmetic and of the
memory traffic; their values are normalised and fit float16. Everything else stays as exported:
statistics of the image, layer norms, the sums of linear attention, the unit length of descriptors,
and the similarities with their exponentials, which span 60 powers of e where float16 has 28.

Run so far: by ONNX Runtime on CPUs and on an H200; TensorRT for RTX built engines of it, none ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

__all__ = ["HALF_RECIPE", "to_half"]

HALF_RECIPE = "fp16v1"
"""Name of this conversion; it changes whenever the graphs that it makes do, so that no engine of
an older one is used."""

_WITH_WEIGHTS = {"Conv", "MatMul"}
# These compute in whatever format their inputs have: half between two half nodes.
_FOLLOW = {"Add", "Concat", "Identity", "Mul", "Relu", "Reshape", "Resize", "Slice", "Transpose",
           "Unsqueeze"}  # fmt: skip


def to_half(onnx_bytes: bytes) -> bytes:
    """Convert a float32 graph to mixed precision; its inputs and outputs stay float32.

    Args:
        onnx_bytes: a graph of Conv, MatMul and operations without state, as exported.

    Raises:
        ImportError: when the ``onnx`` package is missing.
        ValueError: when the bytes are no ONNX graph or its types cannot be inferred.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_from_string(onnx_bytes)
        inferred = onnx.shape_inference.infer_shapes(model)
    except (DecodeError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(f"the graph cannot be converted to float16: {error}") from error
    _Converter(model.graph, inferred.graph).convert()
    del model.graph.value_info[:]  # of types that are no longer true
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


class _Converter:
    """One conversion; ``half`` and ``constant`` name tensors of the graph.

    Args:
        graph: changed in place.
        inferred: the same graph with the types of all its tensors.
    """

    def __init__(self, graph: GraphProto, inferred: GraphProto) -> None:
        self.graph = graph
        values = (*inferred.value_info, *inferred.input, *inferred.output)
        self.types = {value.name: value.type.tensor_type.elem_type for value in values}
        self.weights = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.weights[node.output[0]] = node.attribute[0].t
        for name, tensor in self.weights.items():
            self.types[name] = tensor.data_type
        self.outputs = {value.name for value in graph.output}
        self.constant = set(self.weights)
        self.half: set[str] = set()
        self.nodes: list[NodeProto] = []
        self.made: dict[str, str] = {}  # tensor in the other format: its name

    def convert(self) -> None:
        """Rewrite the graph in place, one node after the other in their order."""
        for node in self.graph.node:
            # The scales of Resize are float32 whatever it resizes.
            typed = node.input[:1] if node.op_type == "Resize" else node.input
            inputs = [name for name in typed if name and self._is_float(name)]
            if node.input and self.constant.issuperset(filter(None, node.input)):
                self.constant.update(node.output)
                if node.op_type == "Identity" and node.input[0] in self.weights:
                    self.weights[node.output[0]] = self.weights[node.input[0]]
            elif self._becomes_half(node, inputs):
                self._take(node, inputs, half=True)
                self._give_half(node)
                continue
            elif node.op_type != "Shape":  # which takes any format
                self._take(node, inputs, half=False)
            self.nodes.append(node)
        self._replace_by_what_is_used()

    def _replace_by_what_is_used(self) -> None:
        """Leave the float32 weights behind whose place float16 ones have taken."""
        used, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if used.intersection(node.output):
                used.update(node.input)
                kept.append(node)
        weights = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend(reversed(kept))
        self.graph.initializer.extend(weights)

    def _is_float(self, name: str) -> bool:
        if name not in self.types:
            raise ValueError(f"the graph cannot be converted to float16: type of {name} unknown")
        return self.types[name] == 1  # TensorProto.FLOAT

    def _becomes_half(self, node: NodeProto, inputs: list[str]) -> bool:
        if node.op_type in _WITH_WEIGHTS:
            return any(name in self.constant for name in inputs)
        computed = [name for name in inputs if name not in self.constant]
        return node.op_type in _FOLLOW and bool(computed) and self.half.issuperset(computed)

    def _take(self, node: NodeProto, inputs: list[str], half: bool) -> None:
        """Let a node read all its float inputs in one format."""
        for position, name in enumerate(node.input):
            if name in inputs and (name in self.half) != half:
                node.input[position] = self._in_other_format(name, half)

    def _give_half(self, node: NodeProto) -> None:
        """Mark the outputs of a half node, with a cast where the graph gives them away."""
        for position, name in enumerate(node.output):
            if name in self.outputs:
                node.output[position] = f"{name}/half"
                self.types[node.output[position]] = self.types[name]
        self.half.update(node.output)
        self.nodes.append(node)
        for name in node.output:
            if name.endswith("/half") and name[: -len("/half")] in self.outputs:
                self._cast(name, name[: -len("/half")], half=False)

    def _in_other_format(self, name: str, half: bool) -> str:
        if name not in self.made:
            other = f"{name}/{'half' if half else 'full'}"
            if half and name in self.weights:
                self.graph.initializer.append(_half_tensor(self.weights[name], other))
            else:
                self._cast(name, other, half)
            self.made[name] = other
        return self.made[name]

    def _cast(self, source: str, target: str, half: bool) -> None:
        from onnx import TensorProto, helper

        to = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self.nodes.append(helper.make_node("Cast", [source], [target], f"{target}/Cast", to=to))


def _half_tensor(weight: TensorProto, name: str) -> TensorProto:
    """A constant in float16.

    Raises:
        ValueError: when one of its values does not fit.
    """
    from onnx import numpy_helper

    values = numpy_helper.to_array(weight)
    limit = np.finfo(np.float16).max
    if (np.abs(values) > limit).any():
        raise ValueError(
            f"the graph cannot be converted to float16: {weight.name} has a value of "
            f"{np.abs(values).max():g}, more than {limit:g}"
        )
    return numpy_helper.from_array(values.astype(np.float16), name)
