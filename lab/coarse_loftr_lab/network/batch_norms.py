"""Statistics and scales of batch norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coarse_loftr_lab.network.matcher_net import MatcherNet

__all__ = ["renew_batch_norms", "shrink_scales"]


@torch.no_grad()
def renew_batch_norms(net: MatcherNet, images: Tensor) -> None:
    """Give batch norms the statistics of these images; the network computes what it did before.

    Training normalises by the statistics of each step. Weights whose norms have others, such as
    those of an exported model, whose norms were folded into the convolutions, would make another
    network of it at the first step.

    Args:
        net: its mode stays as it is.
        images: float32 [B, 1, H, W] in [0, 1], some dozens, like those of the training.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[norm] = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    training = net.training
    net.eval().encode(images)
    net.train(training)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, variance = seen[norm]
        before, after = (norm.running_var + norm.eps).sqrt(), (variance + norm.eps).sqrt()
        norm.bias += norm.weight * (mean - norm.running_mean) / before
        norm.weight *= after / before
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


@torch.no_grad()
def shrink_scales(net: nn.Module, by: float) -> None:
    """Bring the scale of every batch norm nearer to 0 by ``by``, at most to it.

    This is what an L1 penalty on the scales asks for (network slimming, Liu et al., ICCV 2017), as
    its own step after the optimiser's, so that scales reach 0 and the optimiser's moments do not
    see the penalty: channels that the loss does not need show.
    """
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.weight.copy_(F.softshrink(module.weight, by))
