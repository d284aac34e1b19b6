"""People, vehicles and animals cut out of photographs in which a detector finds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.detection.detector import Detector
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["CutOut", "cut_outs", "put_in", "view_of"]

# Large enough to be shown as large as a robot meets them; not cut off by the photograph's edge.
_LEAST_SHARE, _MOST_SHARE, _LEAST_SIDE = 0.06, 0.7, 90
_SURE = 0.6
_OUTLINE_SIDE = 240


@dataclass(frozen=True, eq=False)
class CutOut:
    """One thing.

    Attributes:
        name: its class and photograph.
        image: float32 [h, w], grey levels.
        alpha: float32 [h, w], 1 where it is and 0 beside it.
    """

    name: str
    image: NDArray[np.float32]
    alpha: NDArray[np.float32]


def cut_outs(
    files: Iterable[Path], detector: Detector, classes: Sequence[str], most: int
) -> list[CutOut]:
    """The surest large thing of these classes in each photograph that has one, until enough."""
    found: list[CutOut] = []
    for file in files:
        if len(found) == most:
            break
        image = read_grey(file)
        seen = detector.detect(image)
        for box, score, name in zip(seen.boxes, seen.scores, seen.classes, strict=True):
            if name in classes and score >= _SURE:
                cut = _cut(image, box)
                if cut is not None:
                    found.append(CutOut(f"{name} of {file.parent.name}/{file.name}", *cut))
                break
    return found


def _cut(
    image: NDArray[np.uint8], box: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """What is in a box without what is beside it (GrabCut); ``None`` where it cannot be told."""
    x1, y1, x2, y2 = (int(edge) for edge in np.rint(box))
    width, height = x2 - x1, y2 - y1
    share = width * height / image.size
    if not _LEAST_SHARE < share < _MOST_SHARE or min(width, height) < _LEAST_SIDE:
        return None
    # Outlines need no fine image, and the method is slow.
    zoom = min(1.0, _OUTLINE_SIDE / max(image.shape))
    small = cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
    rectangle = [int(zoom * edge) for edge in (x1, y1, width, height)]
    labels = np.zeros(small.shape, np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    # Grey in all three channels would make its Gaussians flat; so brightness around, and texture.
    around = cv2.GaussianBlur(small, (0, 0), 3)
    colour = cv2.merge([small, around, cv2.absdiff(small, around)])
    cv2.grabCut(colour, labels, rectangle, *models, 3, cv2.GC_INIT_WITH_RECT)
    whole = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    whole = cv2.resize(whole, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    inside = (whole[y1:y2, x1:x2] > 0.5).astype(np.uint8)
    inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    if not 0.35 < inside.mean() < 0.98:
        return None
    alpha = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.0)
    return image[y1:y2, x1:x2].astype(np.float32), alpha


def view_of(
    cut: CutOut, motion: NDArray[np.float64], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A cut-out as a homography from its pixels to an image's (width, height) shows it."""
    image = cv2.warpPerspective(cut.image, motion, size, borderMode=cv2.BORDER_REPLICATE)
    return image, cv2.warpPerspective(cut.alpha, motion, size)


def put_in(
    scene: NDArray[np.float32], thing: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """A scene with a thing of ``view_of`` before it."""
    image, alpha = thing
    return scene * (1 - alpha) + image * alpha
