"""What a profile has found, layer by layer and summed per block of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from coarse_loftr_lab.profiling.kernels import LayerTimes
from coarse_loftr_lab.profiling.layer_costs import LayerCost
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["GraphProfile", "ModelProfile", "RuntimeTimes", "Sum"]


@dataclass(frozen=True)
class RuntimeTimes:
    """What one runtime measured of one graph.

    Attributes:
        runtime: its name.
        layers: times by layer.
        run_ms: time of a run by the clock, as ``undisturbed`` has it.
    """

    runtime: str
    layers: LayerTimes
    run_ms: float

    @property
    def ms(self) -> float:
        """Time of all kernels, the sum over the layers."""
        return sum(self.layers.ms) + self.layers.unknown_ms


@dataclass(frozen=True)
class Sum:
    """Several layers of one graph together.

    Attributes:
        name: of the block, or of the graph.
        layers: that compute.
        products: convolutions and matrix products among them.
        depth: most products that need one another's results.
        parameters: trained values.
        macs: multiplications with addition.
        read_bytes: by all layers, nothing fused.
        written_bytes: by all layers, nothing fused.
        product_bytes: the part of both that convolutions and matrix products have.
        ms: by runtime.
        besides_ms: by runtime, the part of it that is no convolution or matrix product.
    """

    name: str
    layers: int
    products: int
    depth: int
    parameters: int
    macs: int
    read_bytes: int
    written_bytes: int
    product_bytes: int
    ms: dict[str, float]
    besides_ms: dict[str, float]

    @property
    def traffic(self) -> int:
        """Bytes read and written."""
        return self.read_bytes + self.written_bytes

    def rank(self) -> tuple[float, ...]:
        """What sums are ordered by: time with the first runtime, multiplications, bytes."""
        return (next(iter(self.ms.values()), 0.0), self.macs, self.traffic)


@dataclass(frozen=True)
class GraphProfile:
    """One graph of a model.

    Attributes:
        graph: ``encode`` or ``match``.
        layers: all nodes, in the order of the graph.
        runtimes: that measured it.
    """

    graph: str
    layers: tuple[LayerCost, ...]
    runtimes: tuple[RuntimeTimes, ...]

    def blocks(self) -> list[Sum]:
        """One sum per block, those that take longest (with the first runtime) first."""
        names = dict.fromkeys(layer.block for layer in self.layers)
        sums = [self._sum(name, lambda layer, of=name: layer.block == of) for name in names]
        return sorted((one for one in sums if one.layers), key=Sum.rank, reverse=True)

    def total(self) -> Sum:
        """All layers together."""
        return self._sum(self.graph, lambda layer: True)

    def _sum(self, name: str, inside: Callable[[LayerCost], bool]) -> Sum:
        places = [k for k, layer in enumerate(self.layers) if inside(layer)]
        layers = [self.layers[k] for k in places]
        whole = len(places) == len(self.layers)
        return Sum(
            name=name,
            layers=sum(layer.works for layer in layers),
            products=sum(layer.product for layer in layers),
            depth=_depth(self.layers, set(places)),
            parameters=sum(layer.parameters for layer in layers),
            macs=sum(layer.macs for layer in layers),
            read_bytes=sum(layer.read_bytes for layer in layers),
            written_bytes=sum(layer.written_bytes for layer in layers),
            product_bytes=sum(layer.traffic for layer in layers if layer.product),
            ms={
                one.runtime: one.ms if whole else sum(one.layers.ms[k] for k in places)
                for one in self.runtimes
            },
            besides_ms={
                one.runtime: sum(one.layers.besides_ms[k] for k in places)
                + (one.layers.unknown_ms if whole else 0.0)
                for one in self.runtimes
            },
        )


@dataclass(frozen=True)
class ModelProfile:
    """Both graphs of a model.

    Attributes:
        model: its name.
        sha256: of its graphs, short.
        size: of the network image.
        precision: ``fp32``, ``fp16`` or ``int8``: of what was counted and measured.
        runtimes: descriptions by name.
        runs: of each graph.
        graphs: *encode* and *match*.
    """

    model: str
    sha256: str
    size: NetworkSize
    precision: str
    runtimes: dict[str, str]
    runs: int
    graphs: tuple[GraphProfile, ...]


def _depth(layers: Sequence[LayerCost], inside: set[int]) -> int:
    """The most products of a set, one after another, that need one another's results."""
    depths: list[int] = []
    for place, layer in enumerate(layers):
        before = max((depths[k] for k in layer.reads), default=0)
        depths.append(before + (layer.product and place in inside))
    return max(depths, default=0)
