"""Some labelled pairs as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.labelling.labeller import PairOutcome

__all__ = ["PicturePair", "draw_labels"]

_WIDTH = 560  # px of an image in the picture
_GAP = 6
_BANNER = 22
_SHIFT = 4  # cv2 draws on 1/16 px


@dataclass(frozen=True, eq=False)
class PicturePair:
    """A pair to be drawn.

    Attributes:
        title: above it.
        reference: grey, uint8 [H, W].
        current: grey, uint8 [H, W].
        outcome: its labels.
    """

    title: str
    reference: NDArray[np.uint8]
    current: NDArray[np.uint8]
    outcome: PairOutcome


def draw_labels(pairs: Sequence[PicturePair]) -> NDArray[np.uint8]:
    """Pairs below each other: where each label was and went, red where few views agree.

    Args:
        pairs: at least one.

    Returns:
        uint8 [H, W, 3], blue first.
    """
    rows = [_drawn(pair) for pair in pairs]
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [
            cv2.copyMakeBorder(row, 0, _GAP, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=24)
            for row in rows
        ]
    )


def _drawn(pair: PicturePair) -> NDArray[np.uint8]:
    scale = _WIDTH / pair.reference.shape[1]
    images = []
    for image in (pair.reference, pair.current):
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        images.append(cv2.cvtColor((resized * 0.8).astype(np.uint8), cv2.COLOR_GRAY2BGR))
    own, other = ((points + 0.5) * scale - 0.5 for points in _ends(pair.outcome))
    for start, end, share in zip(own, other, pair.outcome.agreement, strict=True):
        colour = (60, round(230 * min(1.0, 2 * share - 1)), 230) if share < 1 else (90, 220, 90)
        cv2.circle(images[0], _fixed(start), 2 << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(images[1], _fixed(end), 2 << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
        cv2.line(images[1], _fixed(start), _fixed(end), colour, 1, cv2.LINE_AA, _SHIFT)
    gap = np.full((images[0].shape[0], _GAP, 3), 24, np.uint8)
    both = np.concatenate([images[0], gap, images[1]], axis=1)
    banner = np.full((_BANNER, both.shape[1], 3), 24, np.uint8)
    cv2.putText(
        banner, pair.title, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230,) * 3, 1, cv2.LINE_AA
    )
    return np.concatenate([banner, both])


def _ends(outcome: PairOutcome) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return outcome.reference, outcome.current


def _fixed(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.rint(point * 2**_SHIFT).astype(int)
    return int(x), int(y)
