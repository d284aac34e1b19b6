"""Recordings of ROS 2 as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.bags.reader import BagReader, ImageTopic
from coarse_loftr_ros.camera_info import calibration_of
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.image_decoding import ImageError, decode_compressed, decode_image
from coarse_loftr_ros.recordings.cameras import Cameras, cameras_of_calibrations
from coarse_loftr_ros.recordings.source import Rejected, SourceImage
from coarse_loftr_ros.rectification import Calibration

__all__ = ["BAG_FILES", "BagSource", "decode"]

BAG_FILES = (".mcap", ".db3")


class BagSource:
    """Topics of images of a recording; see ``Source``."""

    def __init__(self, reader: BagReader, topics: Sequence[ImageTopic]) -> None:
        self._reader = reader
        self._topics = list(topics)
        self.description = f"{reader.path} " + ", ".join(topic.name for topic in topics)
        self.count = sum(topic.count for topic in topics)
        self.rejected: dict[str, Rejected] = {}

    def images(self) -> Iterator[SourceImage]:
        """See ``Source``."""
        stream = {topic.name: number for number, topic in enumerate(self._topics)}
        compressed = {topic.name: topic.compressed for topic in self._topics}
        for recorded in self._reader.messages(self._topics):
            message = recorded.message
            packed = compressed[recorded.topic]
            try:
                image = decode(message, packed)
            except ImageError as error:
                before = self.rejected.get(error.kind, Rejected(0, str(error)))
                self.rejected[error.kind] = Rejected(before.count + 1, before.example)
                continue
            encoding = message.format if packed else message.encoding
            frame = Frame(image, recorded.stamp, message.header.frame_id, encoding)
            yield SourceImage(stream[recorded.topic], recorded.recorded, frame)

    def cameras(self) -> Cameras | None:
        """See ``Source``."""
        calibrations = self.calibrations()
        return cameras_of_calibrations(calibrations) if calibrations else None

    def calibrations(self) -> list[Calibration]:
        """See ``Source``."""
        infos = [self._reader.camera_info(topic) for topic in self._topics]
        return [] if None in infos else [calibration_of(info) for info in infos]


def decode(message: Any, compressed: bool) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of a ``sensor_msgs/CompressedImage`` or ``sensor_msgs/Image``.

    Raises:
        ImageError: when it cannot be used.
    """
    return decode_compressed(message) if compressed else decode_image(message)
