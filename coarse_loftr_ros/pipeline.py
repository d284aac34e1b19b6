"""Frames in, match results out: the one object that the node and the tools share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.encoded_frame import EncodedFrame
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.homography import HomographySettings, estimate_homography, transfer
from coarse_loftr_ros.matcher import Matcher, PointMatches
from coarse_loftr_ros.pairing import ReferencePolicy
from coarse_loftr_ros.preprocessing import NetworkSize, network_size
from coarse_loftr_ros.refinement import RefinementSettings, refine
from coarse_loftr_ros.result import Correspondences, MatchResult, Status
from coarse_loftr_ros.search import SearchSettings, find_matches, needs_other_view

__all__ = ["MatchSettings", "Pipeline", "PipelineSettings"]


@dataclass(frozen=True)
class MatchSettings:
    """What may change between two frames.

    Attributes:
        confidence_threshold: least confidence of a match, in [0, 1].
        max_matches: most matches per pair.
        search: other viewpoints for pairs that do not match as they are.
        refinement: sub-pixel alignment.
        homography: estimator and verdict.
    """

    confidence_threshold: float = 0.5
    max_matches: int = 1000
    search: SearchSettings = field(default_factory=SearchSettings)
    refinement: RefinementSettings = field(default_factory=RefinementSettings)
    homography: HomographySettings = field(default_factory=HomographySettings)

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence_threshold <= 1.0:
            raise ValueError(
                f"confidence_threshold is {self.confidence_threshold}; it must be in [0, 1]"
            )
        if self.max_matches < 4:
            raise ValueError(f"max_matches is {self.max_matches}; it must be at least 4")


@dataclass(frozen=True)
class PipelineSettings:
    """What is fixed when a pipeline is made.

    Attributes:
        backend: name of the runtime, or ``auto``.
        model: the exported model.
        network_pixels: of the network image; larger images are reduced to about this. 0 takes
            what the model was made for.
        detail_pixels: of the image on which points are aligned; larger images are reduced to
            about this.
        threads: CPU threads of the runtime; 0 lets it choose.
    """

    backend: str = "auto"
    model: ModelFiles = field(default_factory=ModelFiles.load)
    network_pixels: int = 0
    detail_pixels: int = 1280 * 720
    threads: int = 0

    def __post_init__(self) -> None:
        least = 64 * 64
        if self.network_pixels and self.network_pixels < least:
            raise ValueError(
                f"network_pixels is {self.network_pixels}; it must be 0 or at least {least}"
            )
        if self.detail_pixels < least:
            raise ValueError(f"detail_pixels is {self.detail_pixels}; it must be at least {least}")
        if self.threads < 0:
            raise ValueError(f"threads is {self.threads}; it must not be negative")


class Pipeline:
    """Matches frames with a reference that it keeps, or pairs of frames.

    The backend is compiled for the expected image size at construction; another image size costs
    a compilation (about half a second on a CPU) at its first frame, which ``on_compile`` reports.
    An object is used from one thread at a time.

    Args:
        settings: runtime and model.
        match: thresholds; the attribute ``match_settings`` may be replaced between two frames.
        policy: which frame becomes the next reference; the attribute ``policy`` may be replaced.
        expected_size: (width, height) of the images to come.
        on_compile: called with a sentence after each compilation.

    Raises:
        BackendError: when the runtime or the model cannot be used.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        match: MatchSettings,
        policy: ReferencePolicy,
        expected_size: tuple[int, int] = (640, 480),
        on_compile: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.match_settings = match
        self.policy = policy
        self._on_compile = on_compile or (lambda sentence: None)
        self._reference: EncodedFrame | None = None
        self._latest: EncodedFrame | None = None
        self._age = 0
        self._track_base = 0
        self._last_stamp: int | None = None
        # Where the last frame lay relative to the reference, while that is far away.
        self._prior: NDArray[np.float64] | None = None
        self._search_at = 0
        self._matcher = self._compile(self._network_size(*expected_size))

    @property
    def backend(self) -> Backend:
        """The runtime as loaded for the latest image size."""
        return self._matcher.backend

    @property
    def reference(self) -> Frame | None:
        """The frame that the next one is matched with."""
        return self._reference.frame if self._reference else None

    def reset(self) -> None:
        """Forget the reference: the next frame becomes it."""
        self._reference = None
        self._latest = None
        self._last_stamp = None

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
        """
        if self.discontinuity(frame):
            self.reset()
        start = time.perf_counter()
        current = self._prepare(frame)
        if self._prior is None:
            current.features(self._matcher)
        encode_ms = (time.perf_counter() - start) * 1e3
        self._last_stamp = frame.stamp
        self._latest = current
        if self._reference is None:
            self._take_reference(current)
            return None
        self._age += 1
        result, expected = self._match(
            self._reference, current, self._track_base, encode_ms, self._prior, self._search_at
        )
        self._prior = expected
        reason = self.policy.replace(result.homography, self._age)
        if reason:
            self._take_reference(current)
        return MatchResult(
            result.reference,
            result.current,
            result.correspondences,
            result.homography,
            result.timings_ms,
            reason,
        )

    def process_pair(self, reference: Frame, current: Frame) -> MatchResult:
        """Match two frames, such as both eyes of a stereo pair; keeps nothing.

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
        return self._match(*prepared, 0, encode_ms)[0]

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
        if self._latest is not None and self._latest is not self._reference:
            self._take_reference(self._latest)
        return self.reference

    def _take_reference(self, encoded: EncodedFrame) -> None:
        encoded.features(self._matcher)
        self._reference = encoded
        self._prior = None
        self._age = 0
        cells = self.settings.model.cells(encoded.map.network)
        self._track_base = (self._track_base + cells) % 2**32

    def _prepare(self, frame: Frame, canvas: NetworkSize | None = None) -> EncodedFrame:
        """Reduce a frame, padded to ``canvas`` where one is given."""
        size = self._network_size(frame.width, frame.height)
        canvas = canvas or size
        self._prepare_for(canvas)
        return EncodedFrame.prepare(frame, size, canvas, self.settings.detail_pixels)

    def _match(
        self,
        reference: EncodedFrame,
        current: EncodedFrame,
        track_base: int,
        encode_ms: float,
        prior: NDArray[np.float64] | None = None,
        search_at: int = 0,
    ) -> tuple[MatchResult, NDArray[np.float64] | None]:
        """The result, and the first homography where it should lead the next match."""
        settings = self.match_settings
        times = [time.perf_counter()]
        found = find_matches(
            self._matcher,
            reference,
            current,
            settings.confidence_threshold,
            settings.max_matches,
            settings.search,
            prior=prior,
            start=search_at,
        )
        times.append(time.perf_counter())
        matches = PointMatches(
            transfer(reference.to_detail, found.matches.reference).astype(np.float32),
            transfer(current.to_detail, found.matches.current).astype(np.float32),
            found.matches.confidence,
            found.matches.cell,
        )
        warp = None
        if found.first.explains():
            warp = current.to_detail @ found.first.matrix @ np.linalg.inv(reference.to_detail)
        matches = refine(
            matches,
            reference.detail,
            current.detail,
            settings.refinement,
            warp,
            current.detail_scale,
        )
        reference_points = reference.detail_map.to_image(matches.reference)
        current_points = current.detail_map.to_image(matches.current)
        kept = _inside(reference_points, reference.frame) & _inside(current_points, current.frame)
        if not kept.all():
            matches = matches.select(kept)
            reference_points, current_points = reference_points[kept], current_points[kept]
        times.append(time.perf_counter())
        homography, inlier = estimate_homography(
            reference_points,
            current_points,
            reference.frame.width,
            reference.frame.height,
            settings.homography,
            settings.homography.threshold_px / float(current.map.scale.max()),
        )
        times.append(time.perf_counter())
        match_ms, refine_ms, homography_ms = np.diff(times) * 1e3
        timings = {
            "encode": encode_ms,
            "match": float(match_ms),
            "refine": float(refine_ms),
            "homography": float(homography_ms),
        }
        timings["total"] = sum(timings.values())
        correspondences = Correspondences(
            reference_points,
            current_points,
            matches.confidence,
            ((matches.cell + track_base) % 2**32).astype(np.uint32),
            inlier,
        )
        result = MatchResult(reference.frame, current.frame, correspondences, homography, timings)
        lost = homography.status == Status.LOST
        self._search_at = search_at + found.tried if lost else 0
        expected = None
        if not lost and needs_other_view(found.first, current.map.network, settings.search):
            expected = found.first.matrix
        return result, expected

    def _network_size(self, width: int, height: int) -> NetworkSize:
        model = self.settings.model
        if model.size is not None:
            return model.size
        pixels = self.settings.network_pixels or model.network_pixels
        return network_size(width, height, pixels, model.size_multiple)

    def _prepare_for(self, size: NetworkSize) -> None:
        if size != self._matcher.backend.size:
            self._matcher = self._compile(size)

    def _compile(self, size: NetworkSize) -> Matcher:
        start = time.perf_counter()
        settings = self.settings
        backend = create_backend(settings.backend, settings.model, size, settings.threads)
        seconds = time.perf_counter() - start
        self._on_compile(f"{backend.description}: loaded in {seconds:.2f} s")
        return Matcher(settings.model, backend)


def _inside(points: NDArray[np.float32], frame: Frame) -> NDArray[np.bool_]:
    """Which points [N, 2] lie on the image and on its mask."""
    nearest = np.rint(points).astype(np.int64)
    x, y = nearest[:, 0], nearest[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < frame.width) & (y < frame.height)
    if frame.mask is not None:
        inside[inside] = frame.mask[y[inside], x[inside]] != 0
    return inside
