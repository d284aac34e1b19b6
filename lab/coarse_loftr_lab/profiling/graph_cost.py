"""What one run of an ONNX graph costs whatever runs it: multiplications and bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.profiling.layer_costs import CountedGraph

__all__ = ["GraphCost", "graph_cost"]


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

    Args:
        onnx_bytes: the graph.
        inputs: arrays for all inputs.
    """
    graph = CountedGraph(onnx_bytes, inputs)
    layers = graph.layers()
    products = [layer for layer in layers if layer.product]
    return GraphCost(
        sum(layer.macs for layer in layers),
        len(products),
        sum(layer.works for layer in layers),
        sum(layer.traffic for layer in products),
        sum(layer.traffic for layer in layers),
        sum(graph.arrays[name].nbytes for name in [*inputs, *graph.outputs]),
    )
