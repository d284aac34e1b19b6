"""What happens to images on the mask node's own thread: decode, detect, publish a mask."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image

from coarse_loftr_ros.detection.description import DetectorError
from coarse_loftr_ros.detection.detector import Detector
from coarse_loftr_ros.detection.masks import keep_mask
from coarse_loftr_ros.images.decoding import ImageError, decode_compressed, decode_image
from coarse_loftr_ros.matching.result import Status
from coarse_loftr_ros.node.common.conversion import image_message
from coarse_loftr_ros.node.common.defects import Defects
from coarse_loftr_ros.node.common.statistics import Statistics

__all__ = ["MadeMask", "Masking", "WaitingImage"]


@dataclass(frozen=True)
class MadeMask:
    """What a mask leaves out.

    Attributes:
        things: how many.
        share: of the image's pixels, 0 to 1.
    """

    things: int
    share: float
    status: Status = Status.OK


@dataclass(frozen=True, eq=False)
class WaitingImage:
    """An image message, and when it was received (``perf_counter``, seconds)."""

    message: Image | CompressedImage
    received_s: float


class Masking:
    """Makes a mask for each image, on a thread of its own.

    All images that came while the detector was at work get their masks from one detection in the
    newest of them: so each has a mask, as soon as can be, however slow the detector is.

    Args:
        detector: used by the thread alone, but for what it looks for.
        publisher: of the masks.
        statistics: where events are counted.
        defects: where exceptions that nobody thought of stop.
        capacity: images that may wait; beyond it the oldest is let go.
        reject: called with a cause and a sentence when an image is not used.
        on_failure: called on the thread with what ended it, which is no ``Exception``.

    Attributes:
        dilation: px; may be replaced at any time.
        rate: most detections per second, 0 sets no limit; may be replaced at any time.
    """

    def __init__(
        self,
        detector: Detector,
        publisher: Publisher,
        statistics: Statistics[MadeMask],
        defects: Defects,
        capacity: int,
        dilation: int,
        rate: float,
        reject: Callable[[str, str], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self.dilation = dilation
        self.rate = rate
        self._detector = detector
        self._publisher = publisher
        self._statistics = statistics
        self._defects = defects
        self._capacity = capacity
        self._reject = reject
        self._on_failure = on_failure
        self._waiting: deque[WaitingImage] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._detected_s = -1e9
        self._mask = np.zeros((0, 0), np.uint8)
        self._made = MadeMask(0, 0.0)
        self._thread = threading.Thread(target=self._run, name="masking", daemon=True)
        self._thread.start()

    def submit(self, image: WaitingImage) -> None:
        """Let an image wait for its mask."""
        with self._wake:
            self._waiting.append(image)
            if len(self._waiting) > self._capacity:
                self._waiting.popleft()
                self._statistics.lost("skipped")
            self._wake.notify()

    def forget(self) -> None:
        """Look anew at the next image, whatever the rate."""
        self._detected_s = -1e9

    def stop(self) -> None:
        """Let go of waiting images and wait until the current ones are done."""
        with self._wake:
            self._stopping = True
            self._waiting.clear()
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._waiting)
                if self._stopping:
                    return
                images = list(self._waiting)
                self._waiting.clear()
            try:
                with self._defects.survived("making a mask"):
                    self._handle(images)
            except BaseException as failure:
                self._on_failure(failure)
                raise

    def _handle(self, images: list[WaitingImage]) -> None:
        """Give images, the newest last, their masks."""
        start = time.perf_counter()
        stages = {"wait": (start - images[-1].received_s) * 1e3}
        while images and (self._due() or self._of_another_size(images[-1].message)):
            try:
                self._detect(images[-1].message, stages)
                break
            except ImageError as error:
                self._reject(error.kind, str(error))
            except DetectorError as error:
                self._reject("detector", str(error))
            images.pop()
        for image in images:
            published = time.perf_counter()
            self._publisher.publish(image_message(self._mask, image.message.header))
            done = time.perf_counter()
            stages["publish"] = (done - published) * 1e3
            stages["received to published"] = (done - image.received_s) * 1e3
            self._statistics.published(self._made, stages)

    def _due(self) -> bool:
        return not self.rate or time.perf_counter() - self._detected_s >= 1.0 / self.rate

    def _of_another_size(self, message: Image | CompressedImage) -> bool:
        """Whether the last mask does not fit; of a compressed image only a detection tells."""
        known = not isinstance(message, CompressedImage)
        return known and self._mask.shape != (message.height, message.width)

    def _detect(self, message: Image | CompressedImage, stages: dict[str, float]) -> None:
        """Make the mask from a message.

        Raises:
            ImageError: when it cannot be decoded.
            DetectorError: when the detector fails.
        """
        start = time.perf_counter()
        compressed = isinstance(message, CompressedImage)
        image = decode_compressed(message) if compressed else decode_image(message)
        decoded = time.perf_counter()
        found = self._detector.detect(image)
        self._mask = keep_mask(found.boxes, *image.shape, self.dilation)
        self._detected_s = start
        self._made = MadeMask(len(found), 1.0 - np.count_nonzero(self._mask) / self._mask.size)
        self._statistics.count("detections")
        stages["decode"] = (decoded - start) * 1e3
        stages["detect"] = (time.perf_counter() - decoded) * 1e3
