"""What happens to images on the worker's thread: decode, match, publish, count."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.image_decoding import ImageError, decode_compressed, decode_image
from coarse_loftr_ros.node.conversion import intrinsics_of
from coarse_loftr_ros.node.inputs import Arrival
from coarse_loftr_ros.node.outputs import Outputs
from coarse_loftr_ros.node.statistics import Statistics
from coarse_loftr_ros.pipeline import Pipeline
from coarse_loftr_ros.result import MatchResult

__all__ = ["Matching"]

_MASK_ENCODINGS = ("mono8", "8UC1")
# Stamps farther from the clock than this are of another clock, and their age says nothing.
_SANE_AGE_MS = 60_000.0


class Matching:
    """Brings images through the pipeline to the publishers.

    Args:
        pipeline: used by the calling thread alone.
        outputs: where results go.
        statistics: where events are counted.
        compressed: messages are ``CompressedImage``.
        depth16: how 16-bit images become 8-bit; the attribute may be replaced at any time.
        clock_ns: time now on the clock of the stamps.
        warn: called with a cause and a sentence when a message is not used.
        inform: called with a cause and a sentence when something noteworthy happened.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        outputs: Outputs,
        statistics: Statistics,
        compressed: bool,
        depth16: str,
        clock_ns: Callable[[], int],
        warn: Callable[[str, str], None],
        inform: Callable[[str, str], None],
    ) -> None:
        self.depth16 = depth16
        self._pipeline = pipeline
        self._outputs = outputs
        self._statistics = statistics
        self._compressed = compressed
        self._clock_ns = clock_ns
        self._warn = warn
        self._inform = inform

    def handle(self, arrivals: tuple[Arrival, ...]) -> None:
        """Use one image, or the two of a stereo pair (left first)."""
        start = perf_counter()
        try:
            frames = [self._frame(arrival) for arrival in arrivals]
            decoded = perf_counter()
            result = self._match(frames)
        except ImageError as error:
            self._reject(error.kind, str(error))
        except BackendError as error:
            self._reject("backend", str(error))
        except (RuntimeError, ValueError, ArithmeticError, LookupError, cv2.error):
            # What runtimes and numerics raise on an image nobody thought of: the next one gets its
            # chance, and the traceback is for whoever repairs it.
            self._reject("runtime", f"image could not be matched: {traceback.format_exc()}")
        else:
            if result is not None:
                self._publish(result, arrivals, start, decoded)

    def reset(self) -> None:
        """Forget the reference."""
        self._pipeline.reset()

    def set_keyframe(self) -> None:
        """Make the newest image the reference."""
        self._pipeline.set_keyframe()

    def _match(self, frames: list[Frame]) -> MatchResult | None:
        if len(frames) == 2:
            left, right = frames
            if left.image.shape != right.image.shape:
                raise ImageError(
                    "stereo",
                    f"stereo images differ in size: left {left.width}x{left.height}, right "
                    f"{right.width}x{right.height}",
                )
            return self._pipeline.process_pair(left, right)
        (frame,) = frames
        why = self._pipeline.discontinuity(frame)
        if why:
            cause = why.split(" ", 1)[0]
            self._statistics.reset(cause)
            self._inform(cause, f"{why}: this image is the new reference")
        result = self._pipeline.process(frame)
        if result is None:
            self._statistics.count("first references")
        elif result.new_reference:
            self._statistics.count("new references")
        return result

    def _publish(
        self, result: MatchResult, arrivals: tuple[Arrival, ...], start: float, decoded: float
    ) -> None:
        matched = perf_counter()
        self._outputs.publish(result)
        done = perf_counter()
        received = max(arrival.received for arrival in arrivals)
        stages = {
            "wait": (start - received) * 1e3,
            "decode": (decoded - start) * 1e3,
            **{"pipeline" if k == "total" else k: ms for k, ms in result.timings_ms.items()},
            "publish": (done - matched) * 1e3,
            "received to published": (done - received) * 1e3,
        }
        age_ms = (self._clock_ns() - result.current.stamp) / 1e6
        if 0.0 <= age_ms < _SANE_AGE_MS:
            stages["stamp to published"] = age_ms
        self._statistics.published(result.homography, stages)
        self._outputs.publish_overlay(result)

    def _frame(self, arrival: Arrival) -> Frame:
        """Decode a message.

        Raises:
            ImageError: when it cannot be used.
        """
        message = arrival.message
        if self._compressed:
            image, encoding = decode_compressed(message, self.depth16), message.format
        else:
            image, encoding = decode_image(message, self.depth16), message.encoding
        height, width = image.shape
        intrinsics = None
        if arrival.camera_info is not None:
            intrinsics = intrinsics_of(arrival.camera_info, width, height)
        return Frame(
            image,
            arrival.stamp,
            message.header.frame_id,
            encoding,
            intrinsics,
            self._mask(arrival, image),
        )

    def _mask(self, arrival: Arrival, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """The latest mask where it fits the image; one that does not is reported and left out.

        It is the mask of the reference's camera: of a stereo pair, the left.
        """
        if arrival.mask is None or arrival.side != 0:
            return None
        try:
            if arrival.mask.encoding not in _MASK_ENCODINGS:
                raise ImageError(
                    "mask",
                    f"mask encoding is '{arrival.mask.encoding}'; allowed are "
                    f"{', '.join(_MASK_ENCODINGS)}",
                )
            mask = decode_image(arrival.mask)
            if mask.shape != image.shape:
                raise ImageError(
                    "mask",
                    f"mask is {mask.shape[1]}x{mask.shape[0]}, the image is "
                    f"{image.shape[1]}x{image.shape[0]}; they must be equal",
                )
        except ImageError as error:
            self._reject("mask", f"mask left out: {error}")
            return None
        return mask

    def _reject(self, cause: str, sentence: str) -> None:
        self._statistics.rejected(cause)
        self._warn(cause, sentence)
