"""Recordings of ROS 2 as a source."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError, check_projection
from coarse_loftr_ros.cameras.camera_info import calibration_of
from coarse_loftr_ros.images.decoding import decode_compressed, decode_image
from coarse_loftr_ros.recordings.bags.reader import (
    BagReader,
    ImageTopic,
    RecordedMessage,
    camera_info_topic,
)
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.image_files import has_orientation
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import ListedImage, SourceImage, decoded
from coarse_loftr_ros.recordings.stamp_order import StampOrder

__all__ = ["BagSource", "decode"]


def decode(message: Any, compressed: bool) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of a ``sensor_msgs/CompressedImage`` or ``sensor_msgs/Image``.

    Raises:
        ImageError: when it cannot be used.
    """
    return decode_compressed(message) if compressed else decode_image(message)


class BagSource:
    """Topics of images of a recording; see ``Source``.

    Args:
        reader: of the recording.
        topics: one, or those of left and right.
        report: filled while the images are read.
    """

    def __init__(
        self, reader: BagReader, topics: Sequence[ImageTopic], report: InputReport
    ) -> None:
        self._reader = reader
        self._topics = list(topics)
        self._cameras: list[_Cameras] | None = None
        self.description = f"{reader.path} " + ", ".join(topic.name for topic in topics)
        self.count = sum(topic.count for topic in topics)
        self.camera_info_topics = [camera_info_topic(topic) for topic in topics]
        self.frame_sets = None
        self.timed = True
        self.raw = False
        self.report = report

    def images(self) -> Iterator[SourceImage]:
        """See ``Source``."""
        cameras = self._read_cameras()

        def camera(image: ListedImage, width: int, height: int) -> Calibration | None:
            calibration = cameras[image.stream].at(image.stamp)
            if calibration is not None:
                calibration.check_size(width, height)
            return calibration

        with _as_recording_error():
            yield from decoded(self._in_order(), self.report, camera)
            for kind, damaged in self._reader.damage.items():
                self.report.reject(kind, str(self._reader.path), damaged.example, damaged.count)

    def calibrations(self) -> list[Calibration]:
        """See ``Source``: the first good ``camera_info`` of each topic."""
        cameras = self._read_cameras()
        for each, topic in zip(cameras, self._topics, strict=True):
            if each.first is None and each.refusal:
                raise RecordingError(f"{self._reader.path} {topic.name}: {each.refusal}")
        found = [each.first for each in cameras]
        return [] if None in found else found

    def _read_cameras(self) -> list[_Cameras]:
        if self._cameras is None:
            with _as_recording_error():
                self._cameras = [
                    _Cameras(self._reader.camera_infos([topic]), self.report)
                    for topic in self._topics
                ]
        return self._cameras

    def _in_order(self) -> Iterator[ListedImage]:
        orders = [StampOrder(self.report) for _ in self._topics]
        for image in self._listed():
            yield from orders[image.stream].add(image)
        for order in orders:
            yield from order.rest()

    def _listed(self) -> Iterator[ListedImage]:
        stream = {topic.name: number for number, topic in enumerate(self._topics)}
        numbers: Counter[str] = Counter()
        for recorded in self._reader.messages(self._topics):
            topic, message = self._topics[stream[recorded.topic]], recorded.message
            number = numbers[topic.name]
            if topic.compressed and number == 0:
                self._look_for_orientation(topic, np.frombuffer(message.data, np.uint8))
            numbers[topic.name] += 1
            yield ListedImage(
                stream[topic.name],
                number,
                f"{topic.name} #{number}",
                recorded.stamp,
                recorded.recorded,
                partial(decode, message, topic.compressed),
                message.header.frame_id,
                message.format if topic.compressed else message.encoding,
            )

    def _look_for_orientation(self, topic: ImageTopic, content: NDArray[np.uint8]) -> None:
        if has_orientation(content):
            self.report.notice(
                f"images on {topic.name} have a tag that asks viewers to turn them: they are taken "
                "as stored, which is what a calibration is of"
            )


class _Cameras:
    """The camera of a topic as its ``camera_info`` describes it over time.

    What describes no camera is left out, so that the first good one serves from the begin.
    """

    def __init__(self, infos: Iterator[RecordedMessage], report: InputReport) -> None:
        self._since: list[int] = []
        self._found: list[Calibration] = []
        self.refusal = ""
        for number, info in enumerate(infos):
            try:
                calibration = _calibration(info.message)
            except CalibrationError as error:
                report.reject("camera_info", f"{info.topic} #{number}", str(error))
                self.refusal = self.refusal or str(error)
                continue
            if not self._found or calibration != self._found[-1]:
                self._found.append(calibration)
                # Of static cameras some drivers leave the stamp empty.
                self._since.append(info.stamp or info.recorded)

    @property
    def first(self) -> Calibration | None:
        """The first one by which images can be rectified, or if there is none, the first."""
        whole = (each for each in self._found if np.isfinite(each.distortion + each.rotation).all())
        return next(whole, self._found[0] if self._found else None)

    def at(self, stamp: int) -> Calibration | None:
        """The camera of an image of that time, ns."""
        if not self._found:
            return None
        return self._found[max(0, bisect_right(self._since, stamp) - 1)]


def _calibration(info: Any) -> Calibration:
    calibration = calibration_of(info)
    check_projection(calibration)
    return calibration


@contextmanager
def _as_recording_error() -> Iterator[None]:
    try:
        yield
    except BagError as error:
        raise RecordingError(str(error)) from error
