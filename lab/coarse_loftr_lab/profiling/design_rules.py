"""Rules for networks that are fast for their arithmetic, and where a graph breaks them.

Four are the guidelines of Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN
Architecture Design", ECCV 2018, section 2: G1 equal channels, G2 groups, G3 fragmentation, G4
element-wise operations. Depth is beside them: products that wait for one another cannot run at the
same time.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from coarse_loftr_lab.profiling.layer_costs import LayerCost
from coarse_loftr_lab.profiling.results import GraphProfile, Sum

__all__ = ["RULES", "Breach", "check_rules"]

MOST_BESIDES = 0.25
"""Share of a graph's time that may go into what is no convolution or matrix product."""

MOST_DEPTH = 2.0
"""How many times its share of the multiplications a block's share of the depth may be."""

RULES = {
    "channels": "convolutions and products read and write as many channels: with the same "
    "multiplications, others move more bytes (G1)",
    "groups": "convolutions have no groups, which move more bytes for the same multiplications "
    "(G2)",
    "fragmentation": "what could be one product is one: products of one form that read the same "
    "tensor are not (G3)",
    "element-wise": f"at most {MOST_BESIDES:.0%} of a graph's time goes into what is no "
    "convolution or matrix product (G4)",
    "depth": f"no block's share of the products in a row is more than {MOST_DEPTH:g} times its "
    "share of the multiplications",
}
"""What is checked, in words for the user."""


@dataclass(frozen=True)
class Breach:
    """A rule that is broken.

    Attributes:
        rule: a key of ``RULES``.
        where: the layer, block, tensor or graph.
        what: how it is broken, with figures.
    """

    rule: str
    where: str
    what: str


def check_rules(profile: GraphProfile) -> list[Breach]:
    """Where a graph breaks a rule, rule by rule, the worst first.

    The share of element-wise operations is one of time: without any measurement it is not checked.
    """
    return [
        *_channels(profile.layers),
        *_groups(profile.layers),
        *_fragmentation(profile.layers),
        *_besides(profile),
        *_depth(profile),
    ]


def _channels(layers: tuple[LayerCost, ...]) -> Iterator[Breach]:
    unequal = []
    for layer in layers:
        if layer.channels is not None and layer.channels[0] != layer.channels[1]:
            read, written = layer.channels
            unequal.append(((read + written) / (2 * math.sqrt(read * written)) - 1, layer))
    for excess, layer in sorted(unequal, key=lambda pair: -pair[0]):
        read, written = layer.channels or (0, 0)
        yield Breach(
            "channels",
            layer.name,
            f"{read} to {written}: {excess:.0%} more activations than equal ones of as many "
            "multiplications",
        )


def _groups(layers: tuple[LayerCost, ...]) -> Iterator[Breach]:
    for layer in sorted(layers, key=lambda layer: -layer.groups):
        if layer.groups > 1:
            yield Breach("groups", layer.name, f"{layer.groups} groups")


def _fragmentation(layers: tuple[LayerCost, ...]) -> Iterator[Breach]:
    alike = defaultdict(list)
    for layer in layers:
        if layer.form:
            alike[layer.form].append(layer)
    for form, products in sorted(alike.items(), key=lambda pair: -len(pair[1])):
        if len(products) > 1:
            names = ", ".join(layer.name for layer in products)
            yield Breach("fragmentation", form[0], f"{len(products)} products read it: {names}")


def _besides(profile: GraphProfile) -> Iterator[Breach]:
    total = profile.total()
    for one in profile.runtimes:
        share = total.besides_ms[one.runtime] / one.ms
        if share > MOST_BESIDES:
            times = one.layers.besides_ms
            first = sorted(range(len(times)), key=lambda k: -times[k])[:4]
            named = ", ".join(
                f"{profile.layers[k].name} {times[k] / one.ms:.0%}" for k in first if times[k]
            )
            yield Breach(
                "element-wise", profile.graph, f"{share:.0%} of {one.runtime}'s time: {named}"
            )


def _depth(profile: GraphProfile) -> Iterator[Breach]:
    total = profile.total()

    def excess(block: Sum) -> float:
        return (block.depth / total.depth) / max(block.macs / total.macs, 1e-9)

    for block in sorted(profile.blocks(), key=excess, reverse=True):
        # A block of one product is as deep as a block can be shallow.
        if block.depth > 1 and excess(block) > MOST_DEPTH:
            yield Breach(
                "depth",
                block.name,
                f"{block.depth} of {total.depth} products in a row for "
                f"{block.macs / total.macs:.0%} of the multiplications",
            )
