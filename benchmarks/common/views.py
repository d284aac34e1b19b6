"""Images for the nodes that are measured."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["circling_views"]


def circling_views(
    width: int, height: int, number: int, picture_file: Path | None = None
) -> list[NDArray[np.uint8]]:
    """Images of a camera that circles over a picture.

    Args:
        width: of the images, px.
        height: of the images, px.
        number: of the images, one circle.
        picture_file: the picture; made of noise without one.
    """
    margin = 48
    size = (width + 2 * margin, height + 2 * margin)
    if picture_file:
        picture = cv2.imread(str(picture_file), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise SystemExit(f"{picture_file} is not a readable picture")
        picture = cv2.resize(picture, size)
    else:
        noise = np.random.default_rng(1).random((size[1] // 4, size[0] // 4), np.float32)
        picture = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
        picture = cv2.GaussianBlur(picture, (0, 0), 2)
        picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    images = []
    for i in range(number):
        angle = 2 * np.pi * i / number
        x, y = round(margin * (1 + np.cos(angle))), round(margin * (1 + np.sin(angle)))
        images.append(np.ascontiguousarray(picture[y : y + height, x : x + width]))
    return images
