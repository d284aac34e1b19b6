"""Figures and a picture of a network on fixed pairs of held-out photographs."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray

from coarse_loftr_lab.network.matcher_net import MatcherNet
from coarse_loftr_lab.training.pictures import match_picture
from coarse_loftr_lab.training.step import figures_of
from coarse_loftr_lab.training.stream import ValidationPairs
from coarse_loftr_lab.training.supervision import supervise

__all__ = ["validate"]


@torch.no_grad()
def validate(net: MatcherNet, pairs: ValidationPairs) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Measure a network that is in evaluation mode.

    Returns:
        Mean figures, and a picture of the first pairs' matches, uint8 [H, W, 3], blue first.
    """
    device = next(net.parameters()).device
    results, picture = [], None
    start = time.perf_counter()
    for number, batch in enumerate(pairs.batches(device)):
        result = supervise(net, batch, torch.Generator().manual_seed(number))
        results.append(figures_of(result))
        if picture is None:
            picture = match_picture(batch, result.similarity)
    figures = {
        name: round(float(torch.stack([one[name] for one in results]).nanmean()), 4)
        for name in results[0]
    }
    return {**figures, "seconds": round(time.perf_counter() - start, 2)}, picture
