"""Reading what the layouts are made of."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_about_middle", "read_grey", "read_pfm", "without_half_pixel"]


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


def fit_about_middle(
    image: NDArray, size: tuple[int, int], interpolation: int
) -> tuple[NDArray, NDArray[np.float64]]:
    """An image cut to the shape of ``size`` about its middle and resized.

    Returns:
        The image, and the float64 [3, 3] change of its pixel coordinates (centre of the top-left
        pixel at the origin), to be multiplied with the intrinsics from the left.
    """
    height, width = image.shape
    scale = min(width / size[0], height / size[1])
    w, h = round(size[0] * scale), round(size[1] * scale)
    x, y = (width - w) // 2, (height - h) // 2
    resized = cv2.resize(image[y : y + h, x : x + w], size, interpolation=interpolation)
    sx, sy = size[0] / w, size[1] / h
    change = np.array(
        [
            [sx, 0.0, (0.5 - x) * sx - 0.5],
            [0.0, sy, (0.5 - y) * sy - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )
    return np.ascontiguousarray(resized), change
