"""Masks that leave out what was detected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["keep_mask"]


def keep_mask(
    boxes: NDArray[np.float32], height: int, width: int, dilation: int
) -> NDArray[np.uint8]:
    """Where matches are wanted: everywhere but in the boxes.

    Args:
        boxes: [N, 4], x1, y1, x2, y2 in pixels from the image's left and upper edge.
        height: of the image.
        width: of the image.
        dilation: pixels by which boxes are widened on each side.

    Returns:
        uint8 [height, width], 0 in a box and 255 elsewhere.
    """
    mask = np.full((height, width), 255, np.uint8)
    outward = np.hstack([np.floor(boxes[:, :2]) - dilation, np.ceil(boxes[:, 2:]) + dilation])
    for x1, y1, x2, y2 in np.maximum(outward, 0).astype(np.int64):
        mask[y1:y2, x1:x2] = 0
    return mask
