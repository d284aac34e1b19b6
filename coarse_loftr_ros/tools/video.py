"""Pictures as a video file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.tools.errors import UserError

__all__ = ["write_video"]

# MPEG-4 needs an OpenCV with FFmpeg, as its wheels and distributions have; Motion JPEG is built in.
_FORMATS = ((".mp4", "mp4v"), (".avi", "MJPG"))


def write_video(
    stem: Path, pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int], rate: float
) -> Path:
    """Write pictures as MPEG-4, or as Motion JPEG where OpenCV cannot do that.

    Args:
        stem: file name without its ending.
        pictures: uint8 [H, W, 3], blue first, all of ``size``.
        size: (width, height), px.
        rate: pictures per second.

    Returns:
        The file.

    Raises:
        UserError: when OpenCV can write neither.
    """
    for suffix, code in _FORMATS:
        path = stem.with_suffix(suffix)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), rate, size)
        if writer.isOpened():
            try:
                for picture in pictures:
                    writer.write(picture)
            finally:  # what was written until an error is a video, too
                writer.release()
            return path
        writer.release()
    raise UserError(f"OpenCV can write neither {stem}.mp4 nor {stem}.avi")
