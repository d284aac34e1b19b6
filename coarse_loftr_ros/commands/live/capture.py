"""Images of a camera, a stream or a video file, as they come."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.video import VideoSource, grey, video_rate

__all__ = ["Capture", "Captured", "open_capture"]

_PATIENCE_S = 5.0  # for the next image of a camera
_DEFAULT_RATE = 30.0


@dataclass(frozen=True, eq=False)
class Captured:
    """An image and when it arrived.

    Attributes:
        frame: grey; its stamp is the time in the video, or the time of arrival.
        arrived: ``time.perf_counter`` when it arrived.
    """

    frame: Frame
    arrived: float


class Capture(Protocol):
    """An open source of images."""

    rate: float
    """Images per second, as the source says; 30 where it does not."""

    def images(self) -> Iterator[Captured]:
        """Images until the video ends.

        Raises:
            UserError: when a camera gives no more images.
        """
        ...


@contextmanager
def open_capture(
    source: str, size: tuple[int, int] | None = None, *, paced: bool = False
) -> Iterator[Capture]:
    """Open a camera, a stream or a video file.

    Args:
        source: number of a camera, ``/dev/video...``, a URL, or a file.
        size: (width, height) to ask of a camera; ``None`` leaves its own.
        paced: whether the images of a file come no faster than they were taken.

    Raises:
        UserError: when it cannot be opened.
    """
    is_file = Path(source).is_file()
    if not (is_file or source.isdigit() or source.startswith("/dev/") or "://" in source):
        what = "is a folder" if Path(source).is_dir() else "does not exist"
        raise UserError(
            f"{source} {what}; give a video file, the number of a camera (0), a device "
            "(/dev/video0) or a URL (rtsp://...)"
        )
    if is_file:
        report = InputReport(on_notice=lambda said: print(said, file=sys.stderr))
        with (
            as_user_error(RecordingError),
            open_source(Path(source), [None], _DEFAULT_RATE, report) as video,
        ):
            if not isinstance(video, VideoSource):
                raise UserError(f"{source} is no video")
            yield _File(video, paced)
        return
    device = cv2.VideoCapture(int(source) if source.isdigit() else source)
    try:
        if not device.isOpened():
            raise UserError(f"the camera {source} cannot be opened; is it there, and not in use?")
        if size is not None:
            device.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
            device.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        with _Camera(source, device) as camera:
            yield camera
    finally:
        device.release()


class _File:
    def __init__(self, source: VideoSource, paced: bool) -> None:
        self._source = source
        self._paced = paced
        self.rate = source.rate

    def images(self) -> Iterator[Captured]:
        begin = float("-inf")  # of the video, on our clock; later when we are slower than it
        for image in self._source.images():
            if self._paced:
                now, since_begin = time.perf_counter(), image.stamp / 1e9
                begin = max(begin, now - since_begin)
                time.sleep(begin + since_begin - now)
            yield Captured(image.frame, time.perf_counter())


class _Camera:
    """Reads on a thread of its own and keeps the newest image alone."""

    def __init__(self, name: str, device: cv2.VideoCapture) -> None:
        self._name = name
        self._device = device
        self.rate = video_rate(device, _DEFAULT_RATE)
        self._changed = threading.Condition()
        self._newest: Captured | None = None
        self._gone = False
        self._closing = False
        self._reader = threading.Thread(target=self._read, name="camera", daemon=True)

    def __enter__(self) -> _Camera:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing = True
        self._reader.join(_PATIENCE_S)

    def images(self) -> Iterator[Captured]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._gone, _PATIENCE_S)
                newest, self._newest = self._newest, None
            if newest is None:
                how = "has gone" if self._gone else f"gave no image for {_PATIENCE_S:g} s"
                raise UserError(f"the camera {self._name} {how}")
            yield newest

    def _read(self) -> None:
        while not self._closing:
            good, image = self._device.read()
            with self._changed:
                if good:
                    frame = Frame(grey(image), time.time_ns(), "camera")
                    self._newest = Captured(frame, time.perf_counter())
                else:
                    self._gone = True
                self._changed.notify()
                if self._gone:
                    return
