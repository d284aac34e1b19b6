"""Frames in, match results out: the one object that the node and the tools share."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, Reports
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.encoded_frame import EncodedFrame
from coarse_loftr_ros.matching.frame_matching import (
    FrameMatch,
    FramePoints,
    MatchSettings,
    match_frames,
)
from coarse_loftr_ros.matching.loaded_sizes import LoadedSizes, LoadingLimit
from coarse_loftr_ros.matching.motion_mask import MotionMask
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings, load_matcher
from coarse_loftr_ros.matching.reference_policy import ReferencePolicy
from coarse_loftr_ros.matching.result import MatchResult, Status, StereoMatch, StreamResult
from coarse_loftr_ros.matching.search import needs_other_view
from coarse_loftr_ros.matching.stereo_matching import match_stereo_pair, shift_at_infinity
from coarse_loftr_ros.matching.track_ids import TrackIds
from coarse_loftr_ros.process.allocator import keep_freed

__all__ = ["Pipeline"]


class Pipeline:
    """Matches frames with a reference that it keeps, or pairs of frames.

    The backend is compiled for the expected image size at construction; another image size costs
    a compilation (about half a second on a CPU) at its first frame, logged through ``reports``.
    The last three sizes stay compiled.
    An object is used from one thread at a time. The process keeps freed memory from then on, see
    ``keep_freed``.

    Args:
        settings: runtime and model.
        match: thresholds; the attribute ``match_settings`` may be replaced between two frames.
        policy: which frame becomes the next reference; the attribute ``policy`` may be replaced.
        expected_size: (width, height) of the images to come.
        reports: receives each compilation, and when another runtime takes over.
        limit: of compilations for sizes other than the expected one; ``None`` sets none.

    Raises:
        BackendError: when the runtime or the model cannot be used.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        match: MatchSettings,
        policy: ReferencePolicy,
        expected_size: tuple[int, int] = (640, 480),
        reports: Reports | None = None,
        limit: LoadingLimit | None = None,
    ) -> None:
        keep_freed()
        self.settings = settings
        self.match_settings = match
        self.policy = policy
        self._reference: EncodedFrame | None = None
        self._latest: EncodedFrame | None = None
        self._age = 0
        self._track_ids = TrackIds()
        self._last_stamp: int | None = None
        # Where the last frame lay relative to the reference, while that is far away.
        self._prior: NDArray[np.float64] | None = None
        self._prior_is_sure = False
        self._motion: MotionMask | None = None  # only while it is asked for
        # Of a function, not a bound method: that would be a reference cycle, which holds memory.
        self._sizes = LoadedSizes(partial(load_matcher, settings, reports or Reports()), limit)
        self._matcher = self._sizes.get(self._network_size(*expected_size))

    @property
    def backend(self) -> Backend:
        """The runtime as loaded for the latest image size."""
        return self._matcher.backend

    @property
    def reference(self) -> Frame | None:
        """The frame that the next one is matched with."""
        return self._reference.frame if self._reference else None

    def close(self) -> None:
        """Give back what the runtime holds, such as the memory of a GPU; it is used no more."""
        self.reset()
        self._sizes.close()

    def make_ready(self, width: int, height: int) -> None:
        """Compile for images of this size where that was not done; it forgets nothing.

        Raises:
            TooManySizesError: when the limit of compilations does not allow it now.
            BackendError: when the runtime cannot.
        """
        self._prepare_for(self._network_size(width, height))

    def reset(self) -> None:
        """Forget the reference: the next frame becomes it."""
        self._reference = None
        self._latest = None
        self._last_stamp = None
        self._prior = None
        self._motion = None

    def start_over(self) -> None:
        """Forget the stream and its track ids, as if newly made; what is compiled stays."""
        self.reset()
        self._age = 0
        self._track_ids = TrackIds()

    def discontinuity(self, frame: Frame) -> str:
        """Why ``frame`` cannot follow the last one; empty when it can.

        Time that goes back (a bag that loops), another resolution, encoding or camera.
        """
        if self._reference is None:
            return ""
        before = self._reference.frame
        if self._last_stamp is not None and frame.stamp < self._last_stamp:
            return f"time went back by {(self._last_stamp - frame.stamp) / 1e9:.3f} s"
        if frame.image.shape != before.image.shape:
            return (
                f"resolution changed from {before.width}x{before.height} "
                f"to {frame.width}x{frame.height}"
            )
        if frame.encoding != before.encoding:
            return f"encoding changed from {before.encoding} to {frame.encoding}"
        if frame.frame_id != before.frame_id:
            return f"frame_id changed from '{before.frame_id}' to '{frame.frame_id}'"
        return ""

    def process(self, frame: Frame) -> MatchResult | None:
        """Match a frame with the reference.

        A frame that cannot follow the last one (see ``discontinuity``) resets the reference.

        Returns:
            The result, or ``None`` when the frame became the reference because there was none.

        Raises:
            BackendError: see ``make_ready``; the reference stays as it was.
        """
        self.make_ready(frame.width, frame.height)
        if self.discontinuity(frame):
            self.reset()
        start = time.perf_counter()
        current = self._prepare(frame)
        if self._prior is None:
            current.features(self._matcher)
        encode_ms = (time.perf_counter() - start) * 1e3
        if self._reference is None:
            self._latest, self._last_stamp = current, frame.stamp
            self._take_reference(current)
            return None
        return self._match_with_reference(current, encode_ms)

    def process_stereo(self, left: Frame, right: Frame, rectified: bool) -> StreamResult:
        """Match the left frame with the reference, and with the right frame of the same time.

        Each image is encoded once. The left frames are a stream as in ``process``.

        Args:
            left: of the pair.
            right: of the pair, of the same size.
            rectified: whether a surface point lies on the same row of both.

        Raises:
            ValueError: when the frames differ in size.
            BackendError: see ``make_ready``; the reference stays as it was.
        """
        if left.image.shape != right.image.shape:
            raise ValueError(
                f"left frame is {left.width}x{left.height}, right frame is "
                f"{right.width}x{right.height}; they must be of one size"
            )
        self.make_ready(left.width, left.height)
        if self.discontinuity(left):
            self.reset()
        start = time.perf_counter()
        pair = self._prepare(left), self._prepare(right)
        for encoded in pair:
            encoded.features(self._matcher)
        encode_ms = (time.perf_counter() - start) * 1e3
        temporal = None
        if self._reference is None:
            self._latest, self._last_stamp = pair[0], left.stamp
            self._take_reference(pair[0])
        else:
            temporal = self._match_with_reference(pair[0], encode_ms)
        track_base = self._track_ids.reference
        if self._reference is not pair[0]:
            track_base = self._track_ids.following(self._cells)
        stereo = match_stereo_pair(self._matcher, *pair, self.match_settings, rectified, track_base)
        motion = self._asked_motion_mask()
        if motion is not None:
            stereo = self._still_stereo(motion, stereo, rectified, track_base)
        return StreamResult(temporal, stereo)

    def process_pair(self, reference: Frame, current: Frame) -> MatchResult:
        """Match two frames; keeps nothing.

        The frames may differ in size: each is reduced by itself, and both are padded to the
        smallest network size that holds them.
        """
        sizes = [self._network_size(frame.width, frame.height) for frame in (reference, current)]
        canvas = NetworkSize(max(s.width for s in sizes), max(s.height for s in sizes))
        # Compiling is no part of encoding's time.
        self._prepare_for(canvas)
        start = time.perf_counter()
        prepared = self._prepare(reference, canvas), self._prepare(current, canvas)
        for encoded in prepared:
            encoded.features(self._matcher)
        encode_ms = (time.perf_counter() - start) * 1e3
        match = match_frames(self._matcher, *prepared, self.match_settings)
        return _result(reference, current, match, encode_ms)

    def set_keyframe(self, frame: Frame | None = None) -> Frame | None:
        """Make a frame the reference whatever the policy says.

        Args:
            frame: to encode and take; ``None`` means the newest one processed.

        Returns:
            The reference, or ``None`` when no frame was processed since the last reset.
        """
        if frame is not None:
            self._latest = self._prepare(frame)
            self._last_stamp = frame.stamp
            self._motion = None
        if self._latest is not None and self._latest is not self._reference:
            self._prepare_for(self._latest.map.network)  # a pair may have been of another size
            self._take_reference(self._latest)
        return self.reference

    def _match_with_reference(self, current: EncodedFrame, encode_ms: float) -> MatchResult:
        """Match a frame of the stream, and let the policy choose the next reference."""
        reference = self._reference
        self._latest, self._last_stamp = current, current.frame.stamp
        self._age += 1
        motion = self._asked_motion_mask()
        match = match_frames(
            self._matcher,
            reference,
            current,
            self.match_settings,
            self._track_ids.reference,
            self._track_ids.following(self._cells),
            self._prior,
            self._prior_is_sure,
            None if motion is None else partial(_still, motion, current),
            current if self.policy.every_frame else None,
        )
        if match.found.windowed:
            self._track_ids.take_window(self._cells)
        lost = match.homography.status == Status.LOST
        first, search = match.found.first, self.match_settings.search
        far = not lost and needs_other_view(first, current.map.network, search)
        self._prior = first.matrix if far else None
        self._prior_is_sure = match.homography.status == Status.OK
        reason = self.policy.replace(match.homography, self._age)
        if reason:
            self._take_reference(current)
        result = _result(reference.frame, current.frame, match, encode_ms, reason)
        return result if motion is None else replace(result, moving=motion.latest)

    def _asked_motion_mask(self) -> MotionMask | None:
        if not self.match_settings.motion_mask:
            self._motion = None
        elif self._motion is None:
            self._motion = MotionMask()
        return self._motion

    def _still_stereo(
        self, motion: MotionMask, stereo: StereoMatch, rectified: bool, track_base: int
    ) -> StereoMatch:
        """The matches of left with right that do not lie on what moves by itself."""
        found, left = stereo.correspondences, stereo.left
        if rectified:
            shift = found.reference_points[:, 0] - found.current_points[:, 0]
            points = (found.track_id.astype(np.int64) - track_base) % 2**32
            motion.take_stereo(left, points, shift + shift_at_infinity(left, stereo.right))
            if self.reference is left:  # it was taken before its distances were known
                motion.take_reference()
        still = motion.still_at(found.reference_points)
        return replace(stereo, correspondences=found.select(still))

    def _take_reference(self, encoded: EncodedFrame) -> None:
        encoded.features(self._matcher)
        self._reference = encoded
        self._prior = None
        if self._motion is not None:
            self._motion.take_reference()
        self._age = 0
        self._track_ids.take_reference(self._cells)

    @property
    def _cells(self) -> int:
        """Cells of the network's image."""
        return self.settings.model.cells(self._matcher.backend.size)

    def _prepare(self, frame: Frame, canvas: NetworkSize | None = None) -> EncodedFrame:
        """Reduce a frame, padded to ``canvas`` where one is given."""
        size = self._network_size(frame.width, frame.height)
        canvas = canvas or size
        self._prepare_for(canvas)
        return EncodedFrame.prepare(frame, size, canvas, self.settings.detail_pixels)

    def _network_size(self, width: int, height: int) -> NetworkSize:
        return self.settings.model.network_size(width, height, self.settings.network_pixels)

    def _prepare_for(self, size: NetworkSize) -> None:
        if size != self._matcher.backend.size:
            self._matcher = self._sizes.get(size)


def _still(motion: MotionMask, current: EncodedFrame, points: FramePoints) -> NDArray[np.bool_]:
    """Which matches with the reference do not move by themselves."""
    frame = current.frame
    return motion.still(
        points.reference,
        points.current,
        None if points.found.windowed else points.point,
        (frame.width, frame.height),
        float(current.map.scale.max()),
    )


def _result(
    reference: Frame, current: Frame, match: FrameMatch, encode_ms: float, new_reference: str = ""
) -> MatchResult:
    timings = {"encode": encode_ms, **match.timings_ms}
    timings["total"] = sum(timings.values())
    return MatchResult(
        reference, current, match.correspondences, match.homography, timings, new_reference
    )
