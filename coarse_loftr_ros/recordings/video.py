"""Video files as a source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import ListedImage, SourceImage, decoded
from coarse_loftr_ros.recordings.stamp_order import in_stamp_order

__all__ = ["VideoSource", "grey", "open_video", "video_rate"]

_MOST_RATE = 1000.0  # Hz; containers without a rate say 90000, their time base


def open_video(path: Path, report: InputReport) -> cv2.VideoCapture:
    """Open a video file whose images come as they are stored.

    Args:
        path: of the file.
        report: notes when the file asks players to turn the images.

    Raises:
        RecordingError: when OpenCV cannot read it.
    """
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise RecordingError(
            f"{path} is neither a recording (.mcap, .db3) nor a video that OpenCV can read"
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    turn = capture.get(cv2.CAP_PROP_ORIENTATION_META)
    if turn:
        report.notice(
            f"{path} asks players to turn it by {turn:g} degrees: images are taken as stored, "
            "which is what a calibration is of"
        )
    return capture


def video_rate(capture: cv2.VideoCapture, otherwise: float) -> float:
    """Mean images per second, as the file says it."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate < _MOST_RATE else otherwise


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of an image of a video."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


class VideoSource:
    """The images of a video with the times of its container; see ``Source``.

    Args:
        path: of the file.
        rate: images per second where the file has no times.
        report: filled while the images are read.

    Attributes:
        rate: images per second in the mean.

    Raises:
        RecordingError: when OpenCV cannot read it.
    """

    def __init__(self, path: Path, rate: float, report: InputReport) -> None:
        self._path = path
        self.report = report
        self._capture = open_video(path, report)
        self.rate = video_rate(self._capture, rate)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 and not _is_bare(path) else None
        self.frame_sets = None
        self.description = str(path)
        # A bare stream has no container, and OpenCV makes its times up.
        self.timed = not _is_bare(path)
        if not self.timed:
            self.rate = rate
            self._assume_rate()
        self.raw = False
        self.camera_info_topics = ["/camera_info"]

    def close(self) -> None:
        """Let go of the file."""
        self._capture.release()

    def images(self) -> Iterator[SourceImage]:
        """See ``Source``."""
        return decoded(in_stamp_order(self._listed(), self.report), self.report, lambda *_: None)

    def calibrations(self) -> list[Calibration]:
        """See ``Source``."""
        return []

    def _listed(self) -> Iterator[ListedImage]:
        number = 0
        while True:
            good, image = self._capture.read()
            if not good:
                break
            stamp = self._stamp(number)
            name = f"{self._path.name} #{number}"
            yield ListedImage(0, number, name, stamp, stamp, partial(grey, image))
            number += 1
        if self.count is not None and number < self.count - 1:
            self.report.notice(
                f"{self._path} says that it has {self.count} images, and {number} can be read"
            )

    def _stamp(self, number: int) -> int:
        """Of the image that was read last, nanoseconds since the begin of the video."""
        milliseconds = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if number == 1 and not milliseconds > 0:
            self.timed = False
            self._assume_rate()
        if not self.timed:
            return round(number * 1e9 / self.rate)
        return round(milliseconds * 1e6)

    def _assume_rate(self) -> None:
        self.report.notice(
            f"{self._path} has no times of its images: {self.rate:g} images per second are assumed"
        )


def _is_bare(path: Path) -> bool:
    """Whether a file is a stream of MPEG, H.264, H.265 or JPEG without a container."""
    with path.open("rb") as file:
        begin = file.read(8)
    # After a start code, 0xba opens a program stream, which is a container; and so is a file whose
    # first box has a size that looks like a start code, and a name.
    started = begin.startswith((b"\xff\xd8", b"\0\0\0\1", b"\0\0\1"))
    return started and not begin.startswith(b"\0\0\1\xba") and not begin[4:].isalpha()
