"""A detector: an image goes in, boxes of what was looked for come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.detection.description import Description, DetectorError
from coarse_loftr_ros.detection.layouts import candidates
from coarse_loftr_ros.detection.runtimes import load_runtime

__all__ = ["Detections", "Detector", "DetectorSettings"]

# Boxes of one class that overlap by more (intersection over union) are of the same thing.
_SAME = 0.6


@dataclass(frozen=True)
class DetectorSettings:
    """What to look for.

    Attributes:
        classes: names; empty looks for those that the description calls moving.
        score: least score of a box, 0 to 1.
        threads: of the runtime; 0 lets it choose.

    Raises:
        ValueError: when a number is out of range.
    """

    classes: tuple[str, ...] = ()
    score: float = 0.35
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0.0 < self.score <= 1.0:
            raise ValueError(f"score is {self.score}; allowed is above 0 to 1")
        if self.threads < 0:
            raise ValueError(f"threads is {self.threads}; allowed is 0 and above")


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in an image.

    Attributes:
        boxes: float32 [N, 4], x1, y1, x2, y2 in pixels from the image's left and upper edge.
        scores: float32 [N].
        classes: names, N of them.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.boxes)


class Detector:
    """Finds things in grey images; one thread uses it at a time.

    Construction loads the graph and runs it once, so that a description that does not fit is known
    before the first image.

    Args:
        description: of the detector.
        settings: what to look for.

    Raises:
        DetectorError: when the graph cannot be loaded or does not fit its description, or when a
            class is unknown.
    """

    def __init__(self, description: Description, settings: DetectorSettings) -> None:
        self.description = description
        self.settings = settings
        self._wanted = description.numbers(settings.classes)
        self._runtime = load_runtime(description, settings.threads)
        shape = len(description.mean), 1, 1
        self._mean = np.float32(description.mean).reshape(shape)
        self._scale = np.float32(description.scale).reshape(shape)
        self.detect(np.full((description.height, description.width), 128, np.uint8))

    def look_for(self, classes: Sequence[str], score: float) -> None:
        """Look for other classes, or for less or more certain ones, from the next image on.

        Raises:
            DetectorError: when a class is unknown.
            ValueError: when the score is out of range.
        """
        wanted = self.description.numbers(classes)
        self.settings = DetectorSettings(tuple(classes), score, self.settings.threads)
        self._wanted = wanted

    def detect(self, image: NDArray[np.uint8]) -> Detections:
        """What is in a grey image uint8 [H, W].

        Raises:
            DetectorError: when the network's outputs do not fit their description.
        """
        tensor, zoom, (left, top) = self._prepared(image)
        size = tensor.shape[2], tensor.shape[1]
        boxes, scores, numbers = candidates(
            self.description, self._runtime.run(tensor), size, self._wanted, self.settings.score
        )
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise DetectorError(f"{self.description.model.name} gave values that are not finite")
        boxes = (boxes - np.float32([left, top, left, top])) / np.float32(zoom)
        height, width = image.shape
        np.clip(boxes, 0, np.float32([width, height, width, height]), out=boxes)
        kept = np.zeros(0, np.int64)
        if len(boxes):
            sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
            kept = np.asarray(
                cv2.dnn.NMSBoxesBatched(
                    sizes.tolist(), scores.tolist(), numbers.tolist(), 0.0, _SAME
                ),
                np.int64,
            ).reshape(-1)
        names = tuple(self.description.classes[number] for number in numbers[kept])
        return Detections(boxes[kept], scores[kept], names)

    def _prepared(
        self, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], float, tuple[int, int]]:
        """An image as the network wants it: reduced, padded, normalised.

        Returns:
            The tensor [channels, h, w], the zoom, and columns and rows padded left and above.
        """
        wanted = self.description
        height, width = image.shape
        zoom = min(wanted.width / width, wanted.height / height)
        inner = max(1, round(zoom * width)), max(1, round(zoom * height))
        full = wanted.width, wanted.height
        if wanted.multiple:
            full = tuple(-(-side // wanted.multiple) * wanted.multiple for side in inner)
        method = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        small = cv2.resize(image, inner, interpolation=method)
        left, top = ((f - i) // 2 for f, i in zip(full, inner, strict=True))
        padded = np.full(full[::-1], wanted.padding, np.float32)
        padded[top : top + inner[1], left : left + inner[0]] = small
        return (padded - self._mean) * self._scale, zoom, (left, top)
