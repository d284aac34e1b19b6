"""The latest images of a stereo camera, and which surface points they share."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.odometry.adjustment import Observations, adjust
from coarse_loftr_ros.odometry.landmark_motion import LandmarkCamera
from coarse_loftr_ros.odometry.linking import nearest_points

__all__ = ["Corners", "StereoWindow", "TrackedPoints"]

# A match leads to a point, and the next match begins at a corner this near it, px. The two are
# not the same surface point: what they are apart is carried along.
_SAME_SURFACE_PX = 2.0
_SAME_DISPARITY_PX = 1.0
# A corner is found again where a match leads to it exactly, px.
_FOUND_AGAIN_PX = 0.1
_LEAST_IMAGES = 3  # of two images the motion alone determines all


@dataclass(frozen=True, eq=False)
class Corners:
    """Where the matches of an image begin.

    Attributes:
        track_id: uint32 [N].
        left: float64 [N, 2], px.
        disparity: float64 [N], px.
    """

    track_id: NDArray[np.uint32]
    left: NDArray[np.float64]
    disparity: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrackedPoints:
    """Matches that agree with a motion.

    Attributes:
        corners: of the reference.
        pixels: float64 [N, 2], in the current image, px.
        disparity: float64 [N], measured in the current image, px; NaN where it is not known.
        expected: float64 [N], the disparity by the motion, px.
    """

    corners: Corners
    pixels: NDArray[np.float64]
    disparity: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Sightings:
    """Points of one image.

    Attributes:
        point: int64 [N].
        pixels: float64 [N, 2], px.
        disparity: float64 [N], px, or NaN.
        expected: float64 [N], a guess of the disparity, px.
        chained: bool [N], the pixel was matched to one that was itself the end of a match.
    """

    point: NDArray[np.int64]
    pixels: NDArray[np.float64]
    disparity: NDArray[np.float64]
    expected: NDArray[np.float64]
    chained: NDArray[np.bool_]

    def joined(self, other: _Sightings) -> _Sightings:
        """Both."""
        return _Sightings(
            np.concatenate([self.point, other.point]),
            np.concatenate([self.pixels, other.pixels]),
            np.concatenate([self.disparity, other.disparity]),
            np.concatenate([self.expected, other.expected]),
            np.concatenate([self.chained, other.chained]),
        )


@dataclass(frozen=True, eq=False)
class _Names:
    """Corners of one image that are points: their ids, ascending, and the points less them, px."""

    track_id: NDArray[np.uint32]
    point: NDArray[np.int64]
    offset: NDArray[np.float64]


@dataclass(eq=False)
class _WindowImage:
    reference: int
    pose: Pose
    sightings: _Sightings
    names: _Names


def _nothing() -> tuple[_Sightings, _Names]:
    none, plane = np.empty(0, np.int64), np.empty((0, 2))
    sightings = _Sightings(none, plane, np.empty(0), np.empty(0), np.empty(0, bool))
    return sightings, _Names(np.empty(0, np.uint32), none, plane)


class StereoWindow:
    """Bundle adjustment over the latest images; see ``adjust``.

    Args:
        camera: the rectified cameras and their noise.
        length: images that are adjusted, beside those that they were matched to.
        least_seen: an image that saw fewer points keeps all from being adjusted.

    Raises:
        ImportError: when SciPy is not installed.
    """

    def __init__(self, camera: LandmarkCamera, length: int, least_seen: int) -> None:
        importlib.import_module("scipy.optimize")  # takes its time now, not between two images
        self._camera, self._length, self._least_seen = camera, length, least_seen
        self._images: dict[int, _WindowImage] = {}
        self._points = 0

    def clear(self) -> None:
        """Forget all images."""
        self._images.clear()

    def add(
        self,
        stamp: int,
        pose: Pose,
        reference_stamp: int,
        reference_pose: Pose,
        tracked: TrackedPoints,
        corners: Corners | None,
    ) -> bool:
        """Take an image.

        Args:
            stamp: of the image, integer nanoseconds.
            pose: the camera in the first one.
            reference_stamp: of the image that it was matched to.
            reference_pose: as ``pose``, of that image.
            tracked: the matches.
            corners: of the image, where later matches may begin; ``None`` where there are none.

        Returns:
            Whether the reference is new, so that it is time to adjust.
        """
        if reference_stamp not in self._images:
            self._images = {
                reference_stamp: _WindowImage(reference_stamp, reference_pose, *_nothing())
            }
        renewed = next(reversed(self._images.values())).reference != reference_stamp
        point, offset = self._named(self._images[reference_stamp], tracked)
        pixels = tracked.pixels + offset
        chained = offset.any(axis=1)
        sightings = _Sightings(point, pixels, tracked.disparity, tracked.expected, chained)
        names = _nothing()[1] if corners is None else _passed_on(point, pixels, tracked, corners)
        self._images[stamp] = _WindowImage(reference_stamp, pose, sightings, names)
        self._drop()
        return renewed

    def _named(
        self, reference: _WindowImage, tracked: TrackedPoints
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Points of the reference's corners, made where they are new, and their offsets."""
        corners, names = tracked.corners, reference.names
        point, offset = np.full(len(corners.track_id), -1, np.int64), np.zeros_like(corners.left)
        _, asked, known = np.intersect1d(corners.track_id, names.track_id, return_indices=True)
        point[asked], offset[asked] = names.point[known], names.offset[known]
        new = point < 0
        count = int(np.count_nonzero(new))
        point[new] = np.arange(self._points, self._points + count)
        self._points += count
        disparity = corners.disparity[new]
        reference.sightings = reference.sightings.joined(
            _Sightings(point[new], corners.left[new], disparity, disparity, np.zeros(count, bool))
        )
        reference.names = _sorted_names(
            np.concatenate([names.track_id, corners.track_id[new]]),
            np.concatenate([names.point, point[new]]),
            np.concatenate([names.offset, offset[new]]),
        )
        return point, offset

    def _drop(self) -> None:
        """Keep the latest images and what they were matched to, as far as it hangs together."""
        latest = list(self._images)[-self._length :]
        kept = {stamp for each in latest for stamp in (each, self._images[each].reference)}
        oldest = min(kept)
        images: dict[int, _WindowImage] = {}
        for stamp, image in self._images.items():
            if stamp in kept and (stamp == oldest or image.reference in images):
                images[stamp] = image
        self._images = images

    def adjusted(self) -> dict[int, Pose]:
        """Better poses by stamp, which the window goes on with; empty when there are none."""
        stamps, images = list(self._images), list(self._images.values())
        if len(images) < _LEAST_IMAGES:
            return {}
        seen = _observations(stamps, images)
        if np.bincount(seen.image, minlength=len(images)).min() < self._least_seen:
            return {}
        poses = adjust(self._camera, [image.pose for image in images], seen)
        for image, pose in zip(images, poses, strict=True):
            image.pose = pose
        return dict(zip(stamps, poses, strict=True))


def _passed_on(
    point: NDArray[np.int64], pixels: NDArray[np.float64], tracked: TrackedPoints, corners: Corners
) -> _Names:
    """Corners of an image that lie on the surface of a point, each on that of the nearest one."""
    near = nearest_points(tracked.pixels, corners.left, _SAME_SURFACE_PX)
    found = np.flatnonzero(near >= 0)
    found = found[
        np.abs(corners.disparity[near[found]] - tracked.expected[found]) <= _SAME_DISPARITY_PX
    ]
    apart = tracked.pixels[found] - corners.left[near[found]]
    found = found[np.argsort(np.einsum("nk,nk->n", apart, apart), kind="stable")]
    corner, nearest = np.unique(near[found], return_index=True)
    found = found[nearest]
    offset = pixels[found] - corners.left[corner]
    offset[(np.abs(offset) < _FOUND_AGAIN_PX).all(axis=1)] = 0.0
    return _sorted_names(corners.track_id[corner], point[found], offset)


def _sorted_names(
    track_id: NDArray[np.uint32], point: NDArray[np.int64], offset: NDArray[np.float64]
) -> _Names:
    order = np.argsort(track_id)
    return _Names(track_id[order], point[order], offset[order])


def _observations(stamps: list[int], images: list[_WindowImage]) -> Observations:
    """What the images share: points that two of them saw, and one with a disparity."""
    seen = images[0].sightings
    for image in images[1:]:
        seen = seen.joined(image.sightings)
    where = np.repeat(np.arange(len(images)), [len(image.sightings.point) for image in images])
    order = np.lexsort((where, seen.point))
    _, of = np.unique(seen.point[order], return_inverse=True)
    often, known = np.bincount(of), np.bincount(of, np.isfinite(seen.disparity[order]))
    order = order[((often >= 2) & (known >= 1))[of]]
    where, point = where[order], seen.point[order]
    # The observation in the image that this one was matched to.
    reference = np.array([stamps.index(each.reference) for each in images[1:]])
    reference = np.concatenate([[0], reference])
    keys, wanted = point * len(images) + where, point * len(images) + reference[where]
    before = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    first = np.diff(point, prepend=-1) != 0
    own = ~seen.chained[order] | first | (keys[before] != wanted) | first[before]
    before[own] = -1
    return Observations(
        where,
        np.cumsum(first) - 1,
        seen.pixels[order],
        seen.disparity[order],
        seen.expected[order][first],
        before,
    )
