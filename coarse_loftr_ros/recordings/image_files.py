"""Files that are images."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.decoding import ImageError, decode_file, scale_to_8_bits

__all__ = [
    "IMAGE_SUFFIXES",
    "find_images",
    "has_orientation",
    "is_image_name",
    "natural",
    "read_bytes",
    "read_file",
    "read_grey",
]

IMAGE_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".tif", ".tiff", ".bmp")


def is_image_name(name: str) -> bool:
    """Whether a file of that name is an image; what desktops hide (``._1.png``) is none."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def find_images(folder: Path) -> list[Path]:
    """The image files of a folder, sorted as people sort: 2.png before 10.png.

    Links to nothing are among them, so that who reads them counts what is missing.
    """
    files = (file for file in folder.iterdir() if is_image_name(file.name) and not file.is_dir())
    return sorted(files, key=lambda file: natural(file.name))


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of an image file; 16 bits are stretched to 8 as the node does.

    The pixels are those that are stored, because a calibration is of those: a tag that asks
    viewers to turn the image is not heeded.

    Raises:
        ImageError: when there is no such file, or it is no image or a broken one.
    """
    image = read_file(path)
    return scale_to_8_bits(image) if image.dtype == np.uint16 else image


def read_file(path: Path, colour: bool = False) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels of an image file as stored, see ``decode_file``.

    Raises:
        ImageError: when there is no such file, or it is no image or a broken one.
    """
    content = read_bytes(path)
    try:
        return decode_file(content, str(path), colour)
    except ImageError as error:
        raise ImageError("file", str(error)) from error


def has_orientation(content: NDArray[np.uint8]) -> bool:
    """Whether a tag of an image file asks viewers to turn or mirror it, which is not done here.

    Args:
        content: bytes of the file, uint8 [N].
    """
    if content.size == 0:
        return False
    flags = cv2.IMREAD_GRAYSCALE, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        turned, stored = (cv2.imdecode(content, flag) for flag in flags)
    except cv2.error:
        return False
    return stored is not None and not np.array_equal(turned, stored)


def natural(name: str) -> list[tuple[int, str]]:
    """Key of the order in which 2.png comes before 10.png."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def read_bytes(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, uint8 [N].

    Raises:
        ImageError: when it cannot be read.
    """
    try:
        if not path.is_file():
            raise ImageError("file", f"{path} does not exist or is not a file")
        return np.fromfile(path, np.uint8)
    except OSError as error:
        raise ImageError("file", f"{path} cannot be read: {error.strerror}") from error
