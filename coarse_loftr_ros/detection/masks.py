"""Masks that leave out what was detected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.detection.detector import Detector
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["DetectorMasks", "keep_mask"]


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


@dataclass(frozen=True, eq=False)
class DetectorMasks:
    """Masks of a detector's boxes.

    Attributes:
        detector: finds what is left out.
        dilation: pixels by which boxes are widened on each side.
    """

    detector: Detector
    dilation: int = 8

    def mask(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Of a grey image uint8 [H, W]; see ``keep_mask``.

        Raises:
            DetectorError: when the detector fails.
        """
        return keep_mask(self.detector.detect(image).boxes, *image.shape, self.dilation)

    @property
    def settings(self) -> dict[str, Any]:
        """What the masks depend on besides the image, as JSON can hold it."""
        described, looked_for = self.detector.description, asdict(self.detector.settings)
        del looked_for["threads"]
        files = [described.file, described.model, *sorted(Path(__file__).parent.glob("*.py"))]
        if described.model.suffix == ".param":
            files.append(described.model.with_suffix(".bin"))
        return {**looked_for, "dilation": self.dilation, "files": files_digest(files)}
