"""What happens to images on the worker's thread: decode, match, publish, count."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError, why_no_pair
from coarse_loftr_ros.cameras.camera_info import intrinsics_of
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.images.decoding import ImageError, decode_compressed, decode_image
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.matching.loaded_sizes import TooManySizesError
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.result import MovingShare, StereoMatch, StreamResult
from coarse_loftr_ros.matching.stereo_matching import why_not_rectified
from coarse_loftr_ros.node.common.commands import CommandError
from coarse_loftr_ros.node.common.defects import Defects
from coarse_loftr_ros.node.common.statistics import Statistics
from coarse_loftr_ros.node.matcher.inputs import Images, ReceivedImage
from coarse_loftr_ros.node.matcher.outputs import MatcherOutputs

__all__ = ["Matching"]

_MASK_ENCODINGS = ("mono8", "8UC1")
# Stamps farther from the clock than this are of another clock, and their age means nothing.
_SANE_AGE_MS = 60_000.0


class Matching:
    """Brings images through the pipeline to the publishers.

    Args:
        pipeline: used by the calling thread alone.
        outputs: where results go.
        statistics: where events are counted.
        defects: where exceptions that nobody thought of stop.
        compressed: messages are ``CompressedImage``.
        rectify: undistort and rectify images as their camera_info says.
        depth16: how 16-bit images become 8-bit; the attribute may be replaced at any time.
        clock_ns: time now on the clock of the stamps.
        warn: called with a cause and a sentence when a message is not used.
        inform: called with a cause and a sentence when something noteworthy happened.

    Attributes:
        moving: what the newest result leaves out because it moves by itself; ``None`` where
            nobody asked for that.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        outputs: MatcherOutputs,
        statistics: Statistics,
        defects: Defects,
        compressed: bool,
        rectify: bool,
        depth16: str,
        clock_ns: Callable[[], int],
        warn: Callable[[str, str], None],
        inform: Callable[[str, str], None],
    ) -> None:
        self.depth16 = depth16
        self.moving: MovingShare | None = None
        self._pipeline = pipeline
        self._outputs = outputs
        self._statistics = statistics
        self._defects = defects
        self._unused = "none has come"  # why the newest image was not used; empty when it was
        self._compressed = compressed
        self._rectify = rectify
        self._rectifications: dict[int, Rectification] = {}
        self._clock_ns = clock_ns
        self._warn = warn
        self._inform = inform

    def handle(self, images: Images) -> None:
        """Use one image, or the two of a stereo pair (left first)."""
        start = perf_counter()
        self._unused = "it could not be matched"
        with self._defects.survived("matching an image"):
            try:
                frames = [self._frame(image) for image in images]
                decoded = perf_counter()
                answer = self._match(frames, images)
            except ImageError as error:
                self._leave_out(error.kind, str(error))
            except TooManySizesError as error:
                self._leave_out("image size", str(error))
            except BackendError as error:
                self._leave_out("backend", str(error))
            else:
                self._unused = ""
                self._publish(answer, images, start, decoded)

    def reset(self) -> str:
        """Forget the reference; what was done, in words."""
        self._pipeline.reset()
        self._statistics.reset("asked")
        self._unused = ""
        return "the next image is the new reference"

    def set_keyframe(self) -> str:
        """Make the newest image the reference; what was done, in words.

        Raises:
            CommandError: when it is not, with the reason; the reference stays.
        """
        if self._unused:
            raise CommandError(f"the newest image was not used: {self._unused}")
        try:
            frame = self._pipeline.set_keyframe()
        except BackendError as error:
            raise CommandError(f"the newest image did not become the reference: {error}") from error
        if frame is None:
            raise CommandError("no image has been matched since the start or the last reset")
        stamp = f"{frame.stamp // 10**9}.{frame.stamp % 10**9:09d}"
        return f"the newest image, of {stamp} s, is the reference of those to come"

    def _match(self, frames: list[Frame], images: Images) -> StreamResult:
        left, right = frames[0], frames[-1]
        if left.image.shape != right.image.shape:
            raise ImageError(
                "stereo",
                f"stereo images differ in size: left {left.width}x{left.height}, right "
                f"{right.width}x{right.height}",
            )
        self._pipeline.make_ready(left.width, left.height)
        why = self._pipeline.discontinuity(left)
        if why:
            cause = why.split(" ", 1)[0]
            self._statistics.reset(cause)
            self._inform(cause, f"{why}: this image is the new reference")
        if len(frames) == 1:
            result = StreamResult(self._pipeline.process(left))
        else:
            known = left.intrinsics is not None and right.intrinsics is not None
            rectified = known and self._is_pair(*(image.camera for image in images))
            result = self._pipeline.process_stereo(left, right, rectified)
            self._check_rows(result.stereo)
        if result.temporal is None:
            self._statistics.count("first references")
        elif result.temporal.new_reference:
            self._statistics.count("new references")
        return result

    def _is_pair(self, left: Calibration, right: Calibration) -> bool:
        """Whether they are; of cameras that claim a baseline, why not is logged."""
        problem = why_no_pair(left, right, ("left camera_info", "right camera_info"))
        if problem and (left.baseline or right.baseline):
            self._warn(
                "pair",
                f"the cameras are no rectified stereo pair: {problem}; matches of left with right "
                "are not held to rows",
            )
        return not problem

    def _check_rows(self, stereo: StereoMatch) -> None:
        """Count what the row constraint rejected; warn when it cannot be right."""
        self._statistics.count("stereo matches", len(stereo.correspondences))
        self._statistics.count("off their row", stereo.off_row)
        warning = why_not_rectified(stereo)
        if warning:
            self._statistics.count("pairs that look wrong")
            self._warn("rows", warning)

    def _publish(self, answer: StreamResult, images: Images, start: float, decoded: float) -> None:
        matched = perf_counter()
        with self._defects.survived("publishing"):
            self._publish_numbers(answer, images, start, decoded, matched)
        if answer.temporal is not None:
            with self._defects.survived("drawing the overlay"):
                self._outputs.publish_overlay(answer.temporal)

    def _publish_numbers(
        self,
        answer: StreamResult,
        images: Images,
        start: float,
        decoded: float,
        matched: float,
    ) -> None:
        # First stereo: a subscriber that waits for both has them when the temporal matches arrive.
        if answer.stereo is not None:
            self._outputs.publish_stereo(answer.stereo)
        result = answer.temporal
        if result is None:
            return
        self.moving = result.moving
        self._outputs.publish(result)
        done = perf_counter()
        received_s = max(image.received_s for image in images)
        times = dict(result.timings_ms)
        pipeline_ms = times.pop("total")
        if answer.stereo is not None:
            times["stereo"] = answer.stereo.total_ms
            pipeline_ms += answer.stereo.total_ms
        stages = {
            "wait": (start - received_s) * 1e3,
            "decode": (decoded - start) * 1e3,
            **times,
            "pipeline": pipeline_ms,
            "publish": (done - matched) * 1e3,
            "received to published": (done - received_s) * 1e3,
        }
        age_ms = (self._clock_ns() - result.current.stamp) / 1e6
        if 0.0 <= age_ms < _SANE_AGE_MS:
            stages["stamp to published"] = age_ms
        self._statistics.published(result.homography, stages)

    def _frame(self, received: ReceivedImage) -> Frame:
        """Decode a message.

        Raises:
            ImageError: when it cannot be used.
        """
        message = received.message
        if self._compressed:
            image, encoding = decode_compressed(message, self.depth16), message.format
        else:
            image, encoding = decode_image(message, self.depth16), message.encoding
        mask = self._mask(received, image)
        height, width = image.shape
        intrinsics = None
        try:
            if self._rectify:
                image, mask = self._rectified(received, image, mask)
            if received.camera is not None:
                intrinsics = intrinsics_of(received.camera, width, height)
        except CalibrationError as error:
            if self._rectify:
                raise ImageError("camera_info", str(error)) from error
            self._reject("camera_info", f"camera_info left out: {error}")
        return Frame(image, received.stamp, message.header.frame_id, encoding, intrinsics, mask)

    def _rectified(
        self, received: ReceivedImage, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Image and mask through the camera's maps, which a change of the camera makes anew.

        Raises:
            CalibrationError: when there is no camera, or it is not this image's.
        """
        if received.camera is None:
            raise CalibrationError("rectify is true, and no camera_info that says how has come yet")
        known = self._rectifications.get(received.side)
        if known is None or known.calibration is not received.camera:
            known = self._rectifications[received.side] = Rectification(received.camera)
        return known.image(image), known.image_mask(mask)

    def _mask(self, received: ReceivedImage, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """The image's mask where it fits; one that does not is reported and left out.

        It is the mask of the reference's camera: of a stereo pair, the left.
        """
        if received.mask is None or received.side != 0:
            return None
        try:
            if received.mask.encoding not in _MASK_ENCODINGS:
                raise ImageError(
                    "mask",
                    f"mask encoding is '{received.mask.encoding}'; allowed are "
                    f"{', '.join(_MASK_ENCODINGS)}",
                )
            mask = decode_image(received.mask)
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

    def _leave_out(self, cause: str, sentence: str) -> None:
        """An image is not used."""
        self._unused = sentence
        self._reject(cause, sentence)
