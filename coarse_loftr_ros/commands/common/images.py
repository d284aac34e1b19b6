"""Image files in and out, with errors as sentences."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error, writing
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.recordings import image_files

__all__ = ["check_image_name", "read_grey", "write_image"]


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of an image file; 16 bits are stretched to 8 as the node does.

    The pixels are as stored; a tag that asks viewers to turn them is said on stderr.

    Raises:
        UserError: when there is no such file or it is no image.
    """
    with as_user_error(ImageError):
        image = image_files.read_grey(path)
        if image_files.has_orientation(image_files.read_bytes(path)):
            print(
                f"{path} has a tag that asks viewers to turn it: the image is taken as stored",
                file=sys.stderr,
            )
    return image


def check_image_name(path: Path) -> None:
    """Refuse a name whose ending is no format that OpenCV writes, before any work is done.

    Raises:
        UserError: naming the file.
    """
    if not path.suffix or not cv2.haveImageWriter(path.name):
        raise UserError(f"{path}: '{path.suffix}' is no image format; end the name with .png")


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an image in the format that the name ends with; missing folders are made.

    Raises:
        UserError: when OpenCV does not know the format or the file cannot be written.
    """
    check_image_name(path)
    with writing(path) as new:
        new.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
