"""Files that are images."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.image_decoding import ImageError, scale_to_8_bits

__all__ = ["find_images", "read_file", "read_grey"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")


def find_images(folder: Path) -> list[Path]:
    """The image files of a folder, sorted as people sort: 2.png before 10.png.

    Raises:
        NotADirectoryError: when it is no folder.
    """
    files = [file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES]
    return sorted(files, key=_natural)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of an image file; 16 bits are stretched to 8 as the node does.

    Raises:
        ImageError: when there is no such file or it is no image.
    """
    image = read_file(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    return scale_to_8_bits(image) if image.dtype == np.uint16 else image


def read_file(path: Path, flags: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels of an image file.

    Args:
        path: of the file.
        flags: of ``cv2.imdecode``.

    Raises:
        ImageError: when there is no such file or it is no image of 8 or 16 bits.
    """
    if not path.is_file():
        raise ImageError("file", f"{path} does not exist or is not a file")
    content = np.fromfile(path, np.uint8)
    image = cv2.imdecode(content, flags) if content.size else None
    if image is None:
        raise ImageError("file", f"{path} is not an image that OpenCV can read")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageError("file", f"{path} holds {image.dtype}; 8 and 16 bits are allowed")
    return image


def _natural(file: Path) -> list[tuple[int, str]]:
    """Order in which 2.png comes before 10.png."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
