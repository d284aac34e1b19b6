"""Views of an image under which a teacher has to say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.homography import transfer

__all__ = ["DEFAULT_TRANSFORMS", "ViewTransform", "parse_transforms"]

DEFAULT_TRANSFORMS = "flip,turn90,turn180,turn270,zoom0.75,zoom1.4"
_ZOOMS = (0.5, 2.0)
# Counter-clockwise quarter turns and mirror images, as matrices about the origin.
_ORTHOGONAL = {
    "original": ((1, 0), (0, 1)),
    "flip": ((-1, 0), (0, 1)),
    "turn90": ((0, 1), (-1, 0)),
    "turn180": ((-1, 0), (0, -1)),
    "turn270": ((0, -1), (1, 0)),
}


@dataclass(frozen=True)
class ViewTransform:
    """A mirror image, a turn or a zoom about the image's middle; both images of a pair get it.

    A zoomed view has the image's size: it shows the middle alone, or the whole image with a plain
    border. The network, which sees every size at its own, then has the scene in another size.

    Attributes:
        name: ``original``, ``flip``, ``turn90``, ``turn180``, ``turn270`` or ``zoom`` and a factor.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name in _ORTHOGONAL:
            return
        found = re.fullmatch(r"zoom(\d+(?:\.\d+)?)", self.name)
        low, high = _ZOOMS
        if not found or not low <= float(found[1]) <= high or float(found[1]) == 1:
            raise ValueError(
                f"transform is '{self.name}'; it must be flip, turn90, turn180, turn270, or zoom "
                f"with a factor from {low:g} to {high:g} that is not 1, such as zoom1.4"
            )

    def matrix(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """Image pixels to view pixels, float64 [3, 3], for an image of ``size`` (width, height)."""
        linear = np.eye(2)
        if self.name in _ORTHOGONAL:
            linear = np.array(_ORTHOGONAL[self.name], np.float64)
        else:
            linear *= float(self.name.removeprefix("zoom"))
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        middle = (np.array(size) - 1) / 2
        matrix[:2, 2] = (np.array(self.view_size(size)) - 1) / 2 - linear @ middle
        return matrix

    def view_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the view."""
        return size[::-1] if self.name in ("turn90", "turn270") else size

    def view(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image, uint8 [H, W], as this shows it."""
        if self.name == "original":
            return image
        size = image.shape[::-1]
        if self.name.startswith("zoom0"):  # smaller: averaged, or its pixels would alias
            sigma = 0.4 / float(self.name.removeprefix("zoom"))
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        return cv2.warpAffine(
            image,
            self.matrix(size)[:2],
            self.view_size(size),
            flags=cv2.INTER_LINEAR,
            borderValue=float(image.mean()),
        )

    def to_image(self, points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float64]:
        """Points [N, 2] of the view in the image's pixels."""
        return transfer(np.linalg.inv(self.matrix(size)), points)

    def shows(self, points: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.bool_]:
        """Which points [N, 2] of the image lie on the view, bool [N]."""
        moved = transfer(self.matrix(size), points)
        return ((moved >= 0) & (moved <= np.array(self.view_size(size)) - 1)).all(axis=1)


def parse_transforms(text: str) -> tuple[ViewTransform, ...]:
    """The image as it is, and the transforms of a list with commas.

    Raises:
        ValueError: for an unknown or repeated name, or when there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) != len(names) or "original" in names:
        raise ValueError(
            f"transforms are '{text}'; it must be a list with commas of different ones, such as "
            f"{DEFAULT_TRANSFORMS}"
        )
    return tuple(ViewTransform(name) for name in ("original", *names))
