"""Image files and videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from coarse_loftr_ros.recordings.image_files import read_grey
from coarse_loftr_ros.recordings.opening import open_source
from damaged_files.content import STAMPS, frames

__all__ = ["make_images", "make_video", "read_image", "read_video"]


def make_images(folder: Path) -> list[Path]:
    """Images of every format that OpenCV writes here."""
    grey = frames()[0].image
    colour, deep = cv2.merge([grey, 255 - grey, grey]), grey.astype(np.uint16) * 200
    images = {
        "grey.png": grey, "deep.png": deep, "colour.jpg": colour, "colour.webp": colour,
        "grey.tiff": grey, "deep.tiff": deep, "grey.pgm": grey, "colour.ppm": colour,
        "colour.bmp": colour,
    }  # fmt: skip
    for name, image in images.items():
        cv2.imwrite(str(folder / name), image)
    return [folder / name for name in images]


def read_image(path: Path) -> bool:
    """Read an image."""
    read_grey(path)
    return False


def make_video(folder: Path) -> list[Path]:
    """A video of MJPEG images."""
    path = folder / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (64, 48))
    for frame in frames():
        writer.write(cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR))
    writer.release()
    return [path]


def read_video(path: Path) -> bool:
    """Read all images of a video."""
    with open_source(path, [None], 10.0) as source:
        return sum(1 for _ in source.images()) < len(STAMPS)
