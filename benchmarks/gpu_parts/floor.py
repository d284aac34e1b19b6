"""What a frame costs at least: counted in the graphs, over published peaks of GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from coarse_loftr_lab.profiling.graph_cost import GraphCost, graph_cost
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.backends.decoding import without_border
from coarse_loftr_ros.backends.joined_graphs import GRAPHS, addition, join
from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
from coarse_loftr_ros.backends.precision import graph_in
from coarse_loftr_ros.images.preprocessing import NetworkSize


@dataclass(frozen=True)
class Ceiling:
    """Published peaks of a GPU, of its maker's data sheets and not measured here.

    Attributes:
        teraflops: by precision; fp16 on tensor cores without sparsity.
        gigabytes_per_s: of its memory.
    """

    teraflops: dict[str, float]
    gigabytes_per_s: float


CEILINGS = {
    "H100 SXM": Ceiling({"fp32": 67.0, "fp16": 989.0}, 3350.0),
    # Half of the 85 dense int8 TOPS of its tensor cores.
    "Jetson AGX Orin 64 GB": Ceiling({"fp32": 5.3, "fp16": 42.5}, 204.8),
    # The same for 20 dense int8 TOPS; 1024 cores at 625 MHz.
    "Jetson Orin Nano 8 GB": Ceiling({"fp32": 1.28, "fp16": 10.0}, 68.0),
}


def floor(model: ModelFiles, size: NetworkSize, precision: str) -> dict[str, Any]:
    """What a frame of a stream costs at least: the joined graphs, counted and not timed."""
    stand_in = OnnxRuntimeBackend(model, size, 1, "fp32")
    features = stand_in.encode(np.zeros((size.height, size.width), np.uint8))
    tokens, fine = features.tokens, without_border(features.fine)[None]
    inputs = {
        "encode": {"grey_image": np.zeros((1, 1, size.height, size.width), np.uint8)},
        "match": {
            "reference_tokens": tokens,
            "current_tokens": tokens,
            "reference_fine": fine,
            "current_fine": fine,
            "corners": np.zeros((model.cells(size), 2), np.float32),
        },
    }
    cost = GraphCost(0, 0, 0, 0, 0, 0)
    for graph in GRAPHS:
        joined = join(graph_in(model, graph, precision), graph, addition(model, graph, size))
        cost += graph_cost(joined, inputs[graph])
    bounds = {
        name: {
            "arithmetic": 2e-9 * cost.macs / ceiling.teraflops[precision],
            "memory": 1e-6 * cost.fused_bytes / ceiling.gigabytes_per_s,
        }
        for name, ceiling in CEILINGS.items()
    }
    bounding = {name: max(bound.values()) for name, bound in bounds.items()}
    least = ", ".join(f"{name} {ms:.4f} ms" for name, ms in bounding.items())
    print(f"  floor {precision}, {cost.macs / 1e6:.0f} million MACs: {least}")
    return {**vars(cost), "ms_at_published_peaks": bounds}
