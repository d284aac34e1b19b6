"""Pictures as a video file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.commands.common.errors import UserError, writing

__all__ = ["write_video"]

# MPEG-4 needs an OpenCV with FFmpeg, as its wheels and distributions have; Motion JPEG is built in.
_FORMATS = {".mp4": "mp4v", ".avi": "MJPG"}
_SMALLEST_PX = 16  # encoders end in an exception below some size of their own


def write_video(
    path: Path, pictures: Iterable[NDArray[np.uint8]], size: tuple[int, int], rate: float
) -> Path:
    """Write pictures as MPEG-4 (``.mp4``) or as Motion JPEG (``.avi``).

    Args:
        path: of the file; where OpenCV cannot write MPEG-4, the ending becomes ``.avi``.
        pictures: uint8 [H, W, 3], blue first, all of ``size``.
        size: (width, height), px.
        rate: pictures per second.

    Returns:
        The file.

    Raises:
        UserError: when the file cannot be written, or the pictures are too small for a video.
    """
    if min(size) < _SMALLEST_PX:
        raise UserError(
            f"{path} cannot be written: the pictures have {size[0]}x{size[1]} px, and a video "
            f"needs {_SMALLEST_PX}x{_SMALLEST_PX} or more"
        )
    for each in dict.fromkeys((path, path.with_suffix(".avi"))):
        stopped: BaseException | None = None
        try:
            with writing(each) as new:
                # OpenCV does not say why it cannot write, but the system does.
                new.touch()
                writer = cv2.VideoWriter(
                    str(new), cv2.VideoWriter_fourcc(*_FORMATS[each.suffix.lower()]), rate, size
                )
                if not writer.isOpened():
                    raise _UnknownFormatError
                try:
                    for picture in pictures:
                        writer.write(picture)
                except (KeyboardInterrupt, UserError) as error:
                    stopped = error  # what was written until then is a video, too
                finally:
                    writer.release()
        except _UnknownFormatError:
            continue
        if stopped is not None:
            raise stopped
        return each
    raise UserError(f"OpenCV can write neither {path} nor Motion JPEG (.avi)")


class _UnknownFormatError(Exception):
    """OpenCV was built without an encoder."""
