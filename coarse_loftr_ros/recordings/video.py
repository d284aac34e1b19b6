"""Video files as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.recordings.bag import BAG_FILES
from coarse_loftr_ros.recordings.cameras import Cameras
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.source import Rejected, SourceImage
from coarse_loftr_ros.rectification import Calibration

__all__ = ["VideoSource"]


class VideoSource:
    """The images of a video; see ``Source``."""

    def __init__(self, path: Path, rate: float) -> None:
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise RecordingError(
                f"{path} is neither a recording ({', '.join(BAG_FILES)}) nor a video that "
                "OpenCV can read"
            )
        own = self._capture.get(cv2.CAP_PROP_FPS)
        self._period = 1e9 / (own if 0 < own < 1000 else rate)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 else None
        self.description = str(path)
        self.rejected: dict[str, Rejected] = {}

    def images(self) -> Iterator[SourceImage]:
        """See ``Source``."""
        number = 0
        while True:
            good, image = self._capture.read()
            if not good:
                return
            grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            stamp = round(number * self._period)
            yield SourceImage(0, stamp, Frame(grey, stamp, "camera"))
            number += 1

    def cameras(self) -> Cameras | None:
        """See ``Source``."""
        return None

    def calibrations(self) -> list[Calibration]:
        """See ``Source``."""
        return []
