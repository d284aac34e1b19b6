"""Frames in, match results out: the one object that the node and the tools share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import Backend, ModelFiles
from coarse_loftr_ros.backends.registry import create_backend
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.homography import HomographySettings, estimate_homography
from coarse_loftr_ros.matcher import Features, Matcher, PointMatches
from coarse_loftr_ros.pairing import ReferencePolicy
from coarse_loftr_ros.preprocessing import ImageMap, NetworkSize, network_size
from coarse_loftr_ros.refinement import RefinementSettings, refine
from coarse_loftr_ros.result import Correspondences, MatchResult

__all__ = ["MatchSettings", "Pipeline", "PipelineSettings"]

# A detail image must be this much larger than the network image to be worth aligning on: below,
# the network image's averaged noise counts for more than the finer pixels.
_DETAIL_GAIN = 1.5


@dataclass(frozen=True)
class MatchSettings:
    """What may change between two frames.

    Attributes:
        confidence_threshold: least confidence of a match, in [0, 1].
        max_matches: most matches per pair.
        refinement: sub-pixel alignment.
        homography: estimator and verdict.
    """

    confidence_threshold: float = 0.1
    max_matches: int = 1000
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
        network_pixels: of the network image; larger images are reduced to about this.
        detail_pixels: of the image on which points are aligned; larger images are reduced to
            about this.
        threads: CPU threads of the runtime; 0 lets it choose.
    """

    backend: str = "auto"
    model: ModelFiles = field(default_factory=ModelFiles.load)
    network_pixels: int = 512 * 384
    detail_pixels: int = 1280 * 720
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("network_pixels", "detail_pixels"):
            if getattr(self, name) < 64 * 64:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {64 * 64}")
        if self.threads < 0:
            raise ValueError(f"threads is {self.threads}; it must not be negative")


@dataclass(frozen=True, eq=False)
class _Encoded:
    """A frame with its features, and the maps to its network image and its detail image."""

    frame: Frame
    map: ImageMap
    features: Features
    detail_map: ImageMap
    detail: NDArray[np.uint8]

    def to_detail(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Network points [N, 2] in pixels of the detail image."""
        return self.detail_map.to_network(self.map.to_image(points))

    @property
    def detail_scale(self) -> float:
        """Detail pixels per network pixel."""
        return float((self.detail_map.scale / self.map.scale).max())


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
        self._reference: _Encoded | None = None
        self._latest: _Encoded | None = None
        self._age = 0
        self._track_base = 0
        self._last_stamp: int | None = None
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
        current = self._encode(frame)
        encode_ms = (time.perf_counter() - start) * 1e3
        self._last_stamp = frame.stamp
        self._latest = current
        if self._reference is None:
            self._take_reference(current)
            return None
        self._age += 1
        result = self._match(self._reference, current, self._track_base, encode_ms)
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
        encoded = self._encode(reference, canvas), self._encode(current, canvas)
        encode_ms = (time.perf_counter() - start) * 1e3
        return self._match(*encoded, 0, encode_ms)

    def set_keyframe(self, frame: Frame | None = None) -> Frame | None:
        """Make a frame the reference whatever the policy says.

        Args:
            frame: to encode and take; ``None`` means the newest one processed.

        Returns:
            The reference, or ``None`` when no frame was processed since the last reset.
        """
        if frame is not None:
            self._latest = self._encode(frame)
            self._last_stamp = frame.stamp
        if self._latest is not None and self._latest is not self._reference:
            self._take_reference(self._latest)
        return self.reference

    def _take_reference(self, encoded: _Encoded) -> None:
        self._reference = encoded
        self._age = 0
        cells = self.settings.model.cells(encoded.map.network)
        self._track_base = (self._track_base + cells) % 2**32

    def _encode(self, frame: Frame, canvas: NetworkSize | None = None) -> _Encoded:
        """Features of a frame, padded to ``canvas`` where one is given."""
        size = self._network_size(frame.width, frame.height)
        canvas = canvas or size
        self._prepare_for(canvas)
        image_map = ImageMap(frame.width, frame.height, canvas, size)
        features = self._matcher.encode(image_map.prepare(frame.image))
        detail_size = network_size(frame.width, frame.height, self.settings.detail_pixels, 1)
        if detail_size.width < _DETAIL_GAIN * size.width:
            detail_map = ImageMap(frame.width, frame.height, size)
            detail = features.image[: size.height, : size.width]
        else:
            detail_map = ImageMap(frame.width, frame.height, detail_size)
            detail = detail_map.prepare(frame.image)
        return _Encoded(frame, image_map, features, detail_map, detail)

    def _match(
        self, reference: _Encoded, current: _Encoded, track_base: int, encode_ms: float
    ) -> MatchResult:
        settings = self.match_settings
        times = [time.perf_counter()]
        matches = self._matcher.match(
            reference.features,
            current.features,
            settings.confidence_threshold,
            settings.max_matches,
        )
        times.append(time.perf_counter())
        matches = PointMatches(
            reference.to_detail(matches.reference),
            current.to_detail(matches.current),
            matches.confidence,
            matches.cell,
        )
        matches = refine(
            matches, reference.detail, current.detail, settings.refinement, current.detail_scale
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
        return MatchResult(reference.frame, current.frame, correspondences, homography, timings)

    def _network_size(self, width: int, height: int) -> NetworkSize:
        model = self.settings.model
        if model.size is not None:
            return model.size
        return network_size(width, height, self.settings.network_pixels, model.size_multiple)

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
