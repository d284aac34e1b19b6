"""What each layer of an ONNX graph costs whatever runs it: parameters, products and bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["TOP_LEVEL", "CountedGraph", "LayerCost", "layer_costs"]

TOP_LEVEL = "top level"
"""Block of the layers that are in no module of the network."""

_PRODUCTS = ("Conv", "MatMul")
# Products too, which exported models do not have: better none than a wrong sum.
_UNKNOWN = ("ConvInteger", "ConvTranspose", "Einsum", "Gemm", "MatMulInteger", "QLinearConv",
            "QLinearMatMul")  # fmt: skip
# Views of a tensor, what is computed of shapes, and formats of numbers, which runtimes fuse into
# the layers beside them: no work by themselves.
_FREE = {"ConstantOfShape", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Shape",
         "Squeeze", "Unsqueeze"}  # fmt: skip


@dataclass(frozen=True)
class LayerCost:
    """One node of a graph.

    Attributes:
        name: of the node; where it has none, of its first output.
        kind: operator of ONNX.
        block: first part of the name, a module of the network; the same for all calls of a module.
        outputs: names of its tensors.
        reads: places, in the graph, of the layers whose outputs it reads.
        works: whether it computes; views of tensors do not.
        parameters: trained values that this layer is the first to read.
        macs: multiplications with addition, of convolutions and matrix products.
        read_bytes: of its inputs with the weights, as they are stored: int8 where that is the form
            between two layers.
        written_bytes: of its outputs.
        channels: read and written, of products with weights; ``None`` of other layers.
        groups: of a convolution, else 1.
        form: what products that read the same tensor must have in common to be one product: the
            tensor, the sides of the kernel and its attributes; empty for other layers.
    """

    name: str
    kind: str
    block: str
    outputs: tuple[str, ...]
    reads: tuple[int, ...]
    works: bool
    parameters: int
    macs: int
    read_bytes: int
    written_bytes: int
    channels: tuple[int, int] | None
    groups: int
    form: tuple[Any, ...]

    @property
    def product(self) -> bool:
        """Whether it is a convolution or a matrix product."""
        return self.kind in _PRODUCTS

    @property
    def traffic(self) -> int:
        """Bytes read and written."""
        return self.read_bytes + self.written_bytes


def layer_costs(
    onnx_bytes: bytes, inputs: Mapping[str, NDArray[np.generic]]
) -> tuple[LayerCost, ...]:
    """Count the cost of each node but constants, in the order of the graph.

    The graph is run once by ONNX Runtime with every tensor as an output, so that shapes and types
    are those that occur.

    Args:
        onnx_bytes: the graph.
        inputs: arrays for all inputs.

    Raises:
        ValueError: when the multiplications of a layer cannot be counted.
    """
    return CountedGraph(onnx_bytes, inputs).layers()


class CountedGraph:
    """A graph with all of its tensors.

    Args:
        onnx_bytes: the graph.
        inputs: arrays for all inputs.

    Attributes:
        arrays: all tensors of one run, weights among them, by name.
        outputs: names of the graph's outputs.
    """

    def __init__(self, onnx_bytes: bytes, inputs: Mapping[str, NDArray[np.generic]]) -> None:
        import onnx

        model = onnx.load_from_string(onnx_bytes)
        self.outputs = [value.name for value in model.graph.output]
        self.nodes = [node for node in model.graph.node if node.op_type != "Constant"]
        self.weights = {tensor.name for tensor in model.graph.initializer}
        self.maker = {name: place for place, node in enumerate(self.nodes) for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
        self.arrays.update(_run(model, inputs))

    def layers(self) -> tuple[LayerCost, ...]:
        """All nodes but constants, in the order of the graph."""
        counted: set[str] = set()
        return tuple(self._layer(node, counted) for node in self.nodes)

    def _layer(self, node: NodeProto, counted: set[str]) -> LayerCost:
        if node.op_type in _UNKNOWN:
            raise ValueError(
                f"layer {node.name or node.output[0]} is of {node.op_type}; multiplications are "
                f"counted of {' and '.join(_PRODUCTS)}"
            )
        inputs, outputs = (
            [name for name in names if name in self.arrays] for names in (node.input, node.output)
        )
        touched = [self.arrays[name] for name in (*inputs, *outputs)]
        works = node.op_type not in _FREE and any(array.dtype != np.int64 for array in touched)
        weights = [name for name in map(self._source, inputs) if name in self.weights]
        new = [name for name in weights if works and name not in counted]
        counted.update(new)
        product = node.op_type in _PRODUCTS
        trained = product and self._source(node.input[1]) in self.weights
        attributes = {a.name: _plain(a) for a in node.attribute}
        return LayerCost(
            name=node.name or node.output[0],
            kind=node.op_type,
            block=self._block(node),
            outputs=tuple(node.output),
            reads=tuple(sorted({self.maker[name] for name in node.input if name in self.maker})),
            works=works,
            parameters=sum(
                self.arrays[name].size for name in new if self.arrays[name].dtype != np.int64
            ),
            macs=_macs(node.op_type, *touched) if product else 0,
            read_bytes=sum(self._stored(name) for name in inputs) if works else 0,
            written_bytes=sum(self._stored(name) for name in outputs) if works else 0,
            channels=_channels(node.op_type, self.arrays[node.input[1]], attributes)
            if trained
            else None,
            groups=attributes.get("group", 1) if node.op_type == "Conv" else 1,
            form=self._form(node, attributes) if trained else (),
        )

    def _form(self, node: NodeProto, attributes: Mapping[str, Any]) -> tuple[Any, ...]:
        sides = self.arrays[node.input[1]].shape[2:]
        return (self._source(node.input[0]), sides, *sorted(attributes.items()))

    def _source(self, name: str) -> str:
        """The tensor that this is a copy of, or the same in another number format."""
        while name in self.maker:
            node = self.nodes[self.maker[name]]
            if node.op_type not in ("Identity", "DequantizeLinear", "QuantizeLinear"):
                break
            name = node.input[0]
        return name

    def _stored(self, name: str) -> int:
        """Bytes of a tensor in the format in which it lies between two layers."""
        maker = self.nodes[self.maker[name]] if name in self.maker else None
        if maker is not None and maker.op_type == "DequantizeLinear":
            return self.arrays[maker.input[0]].nbytes
        readers = self.readers.get(name, [])
        if readers and all(node.op_type == "QuantizeLinear" for node in readers):
            return self.arrays[readers[0].output[0]].nbytes
        return self.arrays[name].nbytes

    def _block(self, node: NodeProto) -> str:
        if node.op_type == "DequantizeLinear" and node.input[0] in self.weights:
            return self._block(self.readers[node.output[0]][0])
        module, *inner = node.name.strip("/").split("/")
        # The second call of a module has a number behind its name.
        return re.sub(r"_\d+$", "", module) if inner else TOP_LEVEL


def _run(model: Any, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """All tensors of one run, inputs among them."""
    import onnx
    import onnxruntime

    known = {
        value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    outputs = {value.name for value in model.graph.output}
    made = [name for node in model.graph.node for name in node.output]
    model.graph.output.extend(known[name] for name in made if name in known and name not in outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return {**dict(zip(names, session.run(names, dict(inputs)), strict=True)), **inputs}


def _plain(attribute: Any) -> Any:
    from onnx.helper import get_attribute_value

    value = get_attribute_value(attribute)
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, bytes) else value


def _channels(
    kind: str, weights: NDArray[np.generic], attributes: Mapping[str, Any]
) -> tuple[int, int]:
    if kind == "Conv":
        return weights.shape[1] * attributes.get("group", 1), weights.shape[0]
    return weights.shape[-2], weights.shape[-1]


def _macs(kind: str, left: NDArray[np.generic], right: NDArray[np.generic], *rest) -> int:
    """Of a convolution (input, kernels, bias?, output) or a matrix product (a, b, output)."""
    each = right[0].size if kind == "Conv" else left.shape[-1]
    return rest[-1].size * each
