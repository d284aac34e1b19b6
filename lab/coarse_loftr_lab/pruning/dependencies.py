"""Which channels of a network can only go together, and the network that is left of them.

The library torch-pruning (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023)
traces which layers share channels: residual sums, the pyramid's sums, joined tensors, heads, the
position encoding that is added to the tokens.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from coarse_loftr_lab.network.config import InnerChannels, MatcherConfig
from coarse_loftr_lab.network.matcher_net import MatcherNet

if TYPE_CHECKING:
    import torch_pruning

__all__ = ["TracedNetwork"]

_POSITIONS = ("position_x", "position_y")


class TracedNetwork:
    """A copy of a network that torch-pruning may cut.

    Args:
        net: stays as it is; the copy has its gradients, too.

    Attributes:
        net: the copy.
        names: of its modules.
    """

    def __init__(self, net: MatcherNet) -> None:
        import torch_pruning as tp

        self.net = copy.deepcopy(net).eval().requires_grad_(True)
        for ours, theirs in zip(self.net.parameters(), net.parameters(), strict=True):
            ours.grad = theirs.grad
        for name in _POSITIONS:  # the library cuts parameters
            table = getattr(self.net, name)
            delattr(self.net, name)
            setattr(self.net, name, nn.Parameter(table))
        self.net.both_at_once = False
        self.names = {module: name for name, module in self.net.named_modules()}
        self._graph = tp.DependencyGraph().build_dependency(
            self.net,
            torch.rand(1, 1, 64, 96),
            forward_fn=_everything,
            unwrapped_parameters=[(getattr(self.net, name), 1) for name in _POSITIONS],
            ignored_params=[self.net.log_scale, self.net.log_fine_scale],
            verbose=False,
        )

    def groups(self) -> list[torch_pruning.Group]:
        """What can only be cut together, with all channels."""
        return list(self._graph.get_all_groups())

    def prune(self, root: str, channels: list[int]) -> None:
        """Cut these channels of a layer, and all that depends on them."""
        if not channels:
            return
        layer = self.net.get_submodule(root)
        handler = self._graph.get_pruner_of_module(layer).prune_out_channels
        self._graph.get_pruning_group(layer, handler, channels).prune()

    def state(self) -> dict[str, Tensor]:
        """The weights that are left, without the position encoding, which a network computes."""
        return {k: v for k, v in self.net.state_dict().items() if k not in _POSITIONS}

    def config(self, positions: tuple[int, ...]) -> MatcherConfig:
        """The channel counts that are left."""
        net = self.net
        stages = (net.stage4, net.stage8, net.stage16, net.stage32)
        layers = (*net.self_layers, *net.cross_layers)
        first = net.config
        return MatcherConfig(
            stage_channels=tuple(stage[0][0].out_channels for stage in stages),
            stage_blocks=first.stage_blocks,
            token_channels=net.token.out_channels,
            heads=first.heads,
            self_layers=first.self_layers,
            cross_layers=first.cross_layers,
            fine_channels=net.fine.out_channels,
            pruned=InnerChannels(
                blocks=tuple(b.conv1[0].out_channels for stage in stages for b in [*stage][1:]),
                lateral=net.lateral16.out_channels,
                merged=net.merge16[0].out_channels,
                attention=tuple(layer.k_proj.out_features for layer in layers),
                message=tuple(layer.merge.out_features for layer in layers),
                hidden=tuple(layer.mlp[0].out_features for layer in layers),
                descriptor=net.descriptor.out_features,
                fine=net.fine.in_channels,
                encoding=first.inner().encoding,
                positions=positions,
            ),
        )


def _everything(net: MatcherNet, image: Tensor) -> tuple[Tensor, Tensor]:
    """All layers on one image, for tracing."""
    tokens, fine = net.encode(image)
    return net.similarity(tokens, tokens), fine
