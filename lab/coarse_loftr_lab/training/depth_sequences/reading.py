"""Reading what the layouts are made of."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["read_grey", "read_pfm", "without_half_pixel"]


def read_grey(path: Path) -> NDArray[np.uint8]:
    """An image as grey levels uint8 [H, W].

    Raises:
        ValueError: when OpenCV does not read it.
    """
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError(f"{path} is not an image that OpenCV reads")
    return image


def read_pfm(path: Path) -> NDArray[np.float32]:
    """A one-channel portable float map, float32 [H, W]; its rows lie bottom up.

    Raises:
        ValueError: when it is none.
    """
    with path.open("rb") as file:
        kind = file.readline().strip()
        size = file.readline().split()
        if kind != b"Pf" or len(size) != 2:
            raise ValueError(f"{path} is not a one-channel PFM file")
        width, height = map(int, size)
        order = "<" if float(file.readline()) < 0 else ">"
        values = np.frombuffer(file.read(), order + "f4")
    if values.size != width * height:
        raise ValueError(f"{path} holds {values.size} values; {width}x{height} are announced")
    return np.ascontiguousarray(values.reshape(height, width)[::-1], np.float32)


def without_half_pixel(intrinsics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intrinsics whose origin is the corner of the top-left pixel, moved to its centre.

    COLMAP (MegaDepth) and MVSNet (BlendedMVS) put the centre of that pixel at (0.5, 0.5).
    """
    moved = np.array(intrinsics, np.float64)
    moved[:2, 2] -= 0.5
    return moved
