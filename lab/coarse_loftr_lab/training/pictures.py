"""Pictures of matches against the truth, for people who watch a training run."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coarse_loftr_lab.network.matcher_net import COARSE_STRIDE
from coarse_loftr_lab.training.truth import PairBatch

__all__ = ["GOOD_PX", "MOST_SHOWN_PX", "match_picture"]

GOOD_PX, MOST_SHOWN_PX = 8.0, 32.0
_UNKNOWN = (160, 160, 160)
_GAP = 6


def match_picture(batch: PairBatch, similarity: Tensor, pairs: int = 4) -> NDArray[np.uint8]:
    """Reference and current view of some pairs side by side with their mutual best cells.

    A line joins the centres of two cells. It is green up to 8 px from the truth (the middle of
    a cell is at most that far away along an axis), red from 32 px, grey where there is no truth.

    Args:
        batch: on any device.
        similarity: [B, L, S] of its cells.
        pairs: how many are drawn, one below the other.

    Returns:
        uint8 [H, W, 3], blue first.
    """
    rows = []
    for number in range(min(pairs, len(batch))):
        views = [
            cv2.cvtColor(_grey(view[number, 0]), cv2.COLOR_GRAY2BGR)
            for view in (batch.reference, batch.current)
        ]
        gap = np.full((views[0].shape[0], _GAP, 3), 255, np.uint8)
        canvas = np.hstack([views[0], gap, views[1]])
        shift = views[0].shape[1] + _GAP
        for start, end, error in _matches(batch, similarity, number):
            colour = _UNKNOWN if error is None else _colour(error)
            a = int(start[0]), int(start[1])
            b = int(end[0]) + shift, int(end[1])
            cv2.line(canvas, a, b, colour, 1, cv2.LINE_AA)
        rows += [canvas, np.full((_GAP, canvas.shape[1], 3), 255, np.uint8)]
    return np.vstack(rows[:-1])


def _grey(image: Tensor) -> NDArray[np.uint8]:
    return (image.float().clamp(0, 1) * 255).round().byte().cpu().numpy()


def _matches(
    batch: PairBatch, similarity: Tensor, number: int
) -> list[tuple[NDArray[np.float32], NDArray[np.float32], float | None]]:
    """Points of both views and the distance from the truth, px, of mutual best cells."""
    columns = batch.reference.shape[3] // COARSE_STRIDE
    table = similarity[number]
    forward, backward = table.argmax(dim=1), table.argmax(dim=0)
    cells = torch.arange(len(forward), device=table.device)
    # Beside being mutual, a match is more likely than all others of its row together.
    sure = table.softmax(dim=1).amax(dim=1) > 0.5
    mutual = ((backward[forward] == cells) & sure).nonzero()[:, 0]
    found = []
    for cell in mutual.tolist():
        start, end = (_centre(n, columns) for n in (cell, int(forward[cell])))
        x, y = int(start[0]), int(start[1])
        error = None
        pixel = (torch.tensor(each, device=table.device) for each in (number, y, x))
        truth, visible = batch.to_current.at(*pixel)
        if bool(visible):
            error = float(np.linalg.norm(truth.float().cpu().numpy() + 0.5 - end))
        found.append((start, end, error))
    return found


def _centre(cell: int, columns: int) -> NDArray[np.float32]:
    """Centre of a cell, px; the truth is looked up half a pixel beside it."""
    at = np.array([cell % columns, cell // columns], np.float32)
    return at * COARSE_STRIDE + (COARSE_STRIDE - 1) / 2


def _colour(error: float) -> tuple[int, int, int]:
    """From green over yellow to red."""
    share = min(max((error - GOOD_PX) / (MOST_SHOWN_PX - GOOD_PX), 0.0), 1.0)
    return 40, int(220 * min(1.0, 2 - 2 * share)), int(235 * min(1.0, 2 * share))
