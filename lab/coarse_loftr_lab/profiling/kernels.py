"""Times of what a runtime executed, given to the layers of the graph that it was made of.

Runtimes fuse, split and add: one kernel may be a convolution with its sum and activation, another
a change of the memory's layout that no layer asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_lab.profiling.layer_costs import LayerCost

__all__ = ["Kernel", "LayerTimes", "times_of_layers", "undisturbed"]


def undisturbed(times: Sequence[float]) -> float:
    """The time that one in ten runs takes at most.

    Kernels take microseconds, and what else runs on the machine takes milliseconds from some of
    them: on two busy cores the sum of medians differed by half between repetitions, this by a
    quarter at most.
    """
    return float(np.quantile(times, 0.1))


@dataclass(frozen=True)
class Kernel:
    """Something that a runtime executed.

    Attributes:
        name: the runtime's own.
        product: whether it is a convolution or a matrix product.
        layers: names of the layers it was made of, where the runtime says so.
        readers: places, among the kernels, of those that read what it writes.
        ms: time of one run, see ``undisturbed``; 0 when it was optimised away.
    """

    name: str
    product: bool
    layers: tuple[str, ...]
    readers: tuple[int, ...]
    ms: float


@dataclass(frozen=True)
class LayerTimes:
    """Milliseconds of one run of a graph, by its layers.

    Attributes:
        ms: of each layer; 0 where it was computed as part of another or left out.
        besides_ms: the part of it that kernels took which are no product.
        unknown_ms: of kernels of which nobody knows for which layer they work.
    """

    ms: tuple[float, ...]
    besides_ms: tuple[float, ...]
    unknown_ms: float


def times_of_layers(kernels: Sequence[Kernel], layers: Sequence[LayerCost]) -> LayerTimes:
    """Give each kernel's time to one layer.

    A product's time goes to the layer that is the product, any other's to the first layer that it
    was made of. A kernel made of none works for what reads its output, such as a reordering.
    """
    find = _Finder(layers)
    ms, besides, unknown = [0.0] * len(layers), [0.0] * len(layers), 0.0
    for kernel in kernels:
        if kernel.ms == 0:
            continue
        place = find.layer_of(kernel, kernels)
        if place is None:
            unknown += kernel.ms
            continue
        ms[place] += kernel.ms
        if not kernel.product:
            besides[place] += kernel.ms
    return LayerTimes(tuple(ms), tuple(besides), unknown)


class _Finder:
    """Finds layers by the names of nodes and tensors."""

    def __init__(self, layers: Sequence[LayerCost]) -> None:
        self._layers = layers
        self._places = {name: k for k, layer in enumerate(layers) for name in layer.outputs}
        self._places.update((layer.name, k) for k, layer in enumerate(layers))
        self._longest_first = sorted(self._places, key=len, reverse=True)

    def layer_of(self, kernel: Kernel, kernels: Sequence[Kernel]) -> int | None:
        seen, front = {kernel.name}, [kernel]
        while front:
            for one in front:
                places = self._named(one)
                if places:
                    return self._product(places) if kernel.product else places[0]
            front = [kernels[k] for one in front for k in one.readers]
            front = [one for one in front if one.name not in seen]
            seen.update(one.name for one in front)
        return None

    def _named(self, kernel: Kernel) -> list[int]:
        names = (*kernel.layers, kernel.name)
        exact = [self._places[name] for name in names if name in self._places]
        if exact:
            return exact
        # Runtimes append to names: .../Conv_output_0_nchwc, .../Conv/WithoutBiases
        for name in names:
            found = next((known for known in self._longest_first if name.startswith(known)), None)
            if found is not None:
                return [self._places[found]]
        return []

    def _product(self, places: list[int]) -> int:
        """The product among these layers, or the nearest one before them."""
        seen, front = set(places), places
        while front:
            for place in front:
                if self._layers[place].product:
                    return place
            front = [k for place in front for k in self._layers[place].reads if k not in seen]
            seen.update(front)
        return places[0]
