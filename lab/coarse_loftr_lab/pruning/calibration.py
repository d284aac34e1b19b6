"""What photographs tell about a network that is pruned: gradients before, statistics after."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from coarse_loftr_lab.network.batch_norms import renew_batch_norms
from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.recipes import PairRecipes, SceneMix, find_images
from coarse_loftr_lab.training.supervision import supervise
from coarse_loftr_lab.training.truth import PairBatch
from coarse_loftr_lab.training.views import render_pairs

__all__ = ["CalibrationPairs"]

_AT_ONCE = 8


class CalibrationPairs:
    """Pairs as training makes them, of the photographs that training uses.

    Args:
        folder: photographs, searched recursively.
        count: of pairs.
        size: (width, height) of the views, multiples of 32.

    Raises:
        FileNotFoundError: when there are no photographs.
        ValueError: when the count is below 1.
    """

    def __init__(self, folder: Path, count: int = 64, size: tuple[int, int] = (320, 256)) -> None:
        if count < 1:
            raise ValueError(f"calibration pairs are {count}; at least 1 is needed")
        images = find_images(folder, held_out_split=False)
        recipes = PairRecipes(images, size, count, 0, SceneMix())
        loader = DataLoader(recipes, min(_AT_ONCE, count), collate_fn=PairRecipes.collate)
        self._batches: list[PairBatch] = [render_pairs(one, size) for one in loader]

    def prepare(self, net: MatcherNet, *, gradients: bool) -> None:
        """Give batch norms the statistics of the pairs, and parameters the gradients of the loss.

        The network computes what it did before. An exported model's norms, which were folded into
        its convolutions, are worth comparing only then.
        """
        renew_batch_norms(net, self._views())
        if not gradients:
            return
        net.zero_grad()
        for number, batch in enumerate(self._batches):
            generator = torch.Generator().manual_seed(number)
            loss = supervise(net, batch, generator, first_pair=number * _AT_ONCE).loss
            (loss / len(self._batches)).backward()

    @torch.no_grad()
    def settle(self, net: MatcherNet) -> None:
        """Measure the statistics of a network's batch norms anew, now that channels are missing.

        What is normalised then has mean 0 and deviation 1 again, as before pruning.
        """
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
        training = net.training
        net.train()
        for batch in self._batches:
            net.encode(torch.cat([batch.reference, batch.current]))
        net.train(training)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @torch.no_grad()
    def recall(self, net: MatcherNet) -> float:
        """Share of cells whose best match is the true cell or one beside it, in evaluation mode."""
        shares = []
        for number, batch in enumerate(self._batches):
            figures = supervise(net.eval(), batch, torch.Generator().manual_seed(number))
            shares.append(figures.coarse_recall)
        return float(torch.stack(shares).nanmean())

    def _views(self) -> torch.Tensor:
        return torch.cat([view for b in self._batches[:4] for view in (b.reference, b.current)])
