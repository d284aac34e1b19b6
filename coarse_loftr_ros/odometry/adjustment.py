"""Poses of several stereo images and the distances of their common points, adjusted together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose, exp_rotation
from coarse_loftr_ros.odometry.camera_rays import cross
from coarse_loftr_ros.odometry.landmark_motion import LandmarkCamera

__all__ = ["Observations", "adjust"]

_TUKEY = 4.6851  # 95 % efficient on normal residuals (Huber 1981)
_SIGMA_FLOOR = 0.2
# Of the chi-squared distribution, by degrees of freedom.
_CHI_SQUARED_MEDIAN = np.array([1.0, 0.4549, 1.3863, 2.3660])
_ROUNDS = 2  # the scale of the residuals and the weights follow the poses this often
_EVALUATIONS = 4
_INVERSE_STEPS = 2  # an inverse depth is nearly linear in the pixels
_LEAST_INVERSE = 1e-6  # 1/m
_LEAST_DEPTH = 1e-3  # m


@dataclass(frozen=True, eq=False)
class Observations:
    """What images saw of common points, in order of points, then of time.

    Attributes:
        image: int64 [K], index of the image; the oldest image is 0.
        point: int64 [K], ascending, index of the point; each is seen at least twice.
        pixels: float64 [K, 2], in the left image, px.
        disparity: float64 [K], px; NaN where it is not known. One of each point's is known.
        expected: float64, a guess of each point's first disparity, px.
        before: int64 [K], index of the observation that this one was matched to, where it has
            that one's error too; -1 where it has its own error alone.
    """

    image: NDArray[np.int64]
    point: NDArray[np.int64]
    pixels: NDArray[np.float64]
    disparity: NDArray[np.float64]
    expected: NDArray[np.float64]
    before: NDArray[np.int64]


def adjust(camera: LandmarkCamera, poses: list[Pose], seen: Observations) -> list[Pose]:
    """Bundle adjustment with Tukey's weights; the oldest image stays where it is.

    A point lies on the ray of its first observation, at an inverse depth (Civera, Davison and
    Montiel, T-RO 2008) that is solved for within each evaluation (variable projection: Golub and
    Pereyra, SIAM J. Numer. Anal., 1973; the Jacobian is Kaufman's, BIT 1975). So SciPy's
    Levenberg-Marquardt (MINPACK) sees six unknowns per image, however many points there are.

    Args:
        camera: projection and noise.
        poses: of the images, in any common frame.
        seen: of every image, enough for its pose.

    Returns:
        The poses; those given when nothing finite is found.

    Raises:
        ImportError: when SciPy is not installed.
    """
    from scipy.optimize import least_squares

    found = poses
    for _ in range(_ROUNDS):
        problem = _Problem(camera, found, seen)
        start = np.zeros(6 * (len(poses) - 1))
        if problem.count < len(start):
            return poses
        step = least_squares(
            problem.residuals, start, problem.jacobian, method="lm", max_nfev=_EVALUATIONS
        ).x
        if not np.isfinite(step).all():
            return poses
        found = _moved(found, step)
    return found


def _moved(poses: list[Pose], delta: NDArray[np.float64]) -> list[Pose]:
    """All poses but the first moved, along the axes of the common frame."""
    return poses[:1] + [
        Pose(exp_rotation(step[3:]) @ pose.rotation, pose.translation + step[:3])
        for pose, step in zip(poses[1:], delta.reshape(-1, 6), strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Linearised:
    """Residuals at some poses and what their derivatives are made of.

    Attributes:
        delta: where.
        value: float64 [K, 3], whitened.
        by_inverse: float64 [K, 3], derivative of ``value`` by the point's inverse depth.
        by_sight: float64 [K, 3, 3], derivative of (x, y, disparity) by ``sight``, px.
        sight: float64 [K, 3], from the image to the point, divided by the point's depth.
        ray: float64 [K, 3], from the point's first image to it, divided alike.
        inverse: float64 [K], of the point.
    """

    delta: NDArray[np.float64]
    value: NDArray[np.float64]
    by_inverse: NDArray[np.float64]
    by_sight: NDArray[np.float64]
    sight: NDArray[np.float64]
    ray: NDArray[np.float64]
    inverse: NDArray[np.float64]


class _Problem:
    """Weighted residuals and their Jacobian by the poses; the weights are those of the start."""

    def __init__(self, camera: LandmarkCamera, poses: list[Pose], seen: Observations) -> None:
        self._camera, self._poses, self._seen = camera, poses, seen
        self._first = np.flatnonzero(np.diff(seen.point, prepend=-1))
        self._origin = seen.image[self._first][seen.point]
        left = camera.left
        self._rays = np.ones((len(self._first), 3))
        self._rays[:, :2] = (seen.pixels[self._first] - (left.cx, left.cy)) / (left.fx, left.fy)
        self._chained = np.flatnonzero(seen.before >= 0)
        self._before = seen.before[self._chained]
        known = np.isfinite(seen.disparity)
        self._measured = np.column_stack([seen.pixels, np.where(known, seen.disparity, 0.0)])
        self._scale = np.empty_like(self._measured)
        self._scale[:, :2] = 1.0 / camera.pixel_sigma
        self._scale[self._first, :2] = 0.0  # the first pixel defines the point
        self._scale[:, 2] = np.where(known, 1.0 / camera.disparity_sigma, 0.0)
        self._inverse = seen.expected / camera.depth_factor
        # The latest evaluation: the Jacobian is asked for where the residuals were.
        self._at = self._evaluated(np.zeros(6 * (len(poses) - 1)))
        self._weigh(self._at.value)
        self._at = self._evaluated(self._at.delta)
        self._rows = np.flatnonzero(self._scale)
        self.count = len(self._rows)

    def _weigh(self, value: NDArray[np.float64]) -> None:
        square = np.einsum("kc,kc->k", value, value)
        parts = np.count_nonzero(self._scale, axis=1)
        usual = np.median((square / _CHI_SQUARED_MEDIAN[parts])[parts >= 2])
        reach = _TUKEY**2 * max(_SIGMA_FLOOR**2, float(usual))
        # The square root of the weight.
        self._scale *= np.maximum(0.0, 1.0 - square / reach)[:, None]

    def residuals(self, delta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whitened residuals [M] of moved poses."""
        self._at = self._evaluated(delta)
        return self._at.value.ravel()[self._rows]

    def jacobian(self, delta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivative [M, P] of the residuals while all inverse depths follow."""
        if not np.array_equal(delta, self._at.delta):
            self._at = self._evaluated(delta)
        at, seen = self._at, self._seen
        every = np.arange(len(seen.image))
        moved = at.by_sight * at.inverse[:, None, None]
        full = np.zeros((len(every), 3, len(self._poses), 6))
        full[every, :, seen.image, :3] -= moved
        full[every, :, seen.image, 3:] += cross(at.by_sight, at.sight[:, None, :])
        full[every, :, self._origin, :3] += moved
        full[every, :, self._origin, 3:] -= cross(at.by_sight, at.ray[:, None, :])
        full[self._chained, :2] -= full[self._before, :2]
        jacobian = (full[:, :, 1:] * self._scale[:, :, None, None]).reshape(len(every), 3, -1)
        # What the point's inverse depth takes up.
        square = np.maximum(self._summed(at.by_inverse**2), 1e-300)
        share = self._sums(np.einsum("kc,kcp->kp", at.by_inverse, jacobian)) / square[:, None]
        jacobian -= at.by_inverse[:, :, None] * share[seen.point][:, None, :]
        return jacobian.reshape(-1, jacobian.shape[2])[self._rows]

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the observations of each point."""
        return np.add.reduceat(values, self._first, axis=0)

    def _summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._sums(values.sum(axis=1))

    def _evaluated(self, delta: NDArray[np.float64]) -> _Linearised:
        poses, seen = _moved(self._poses, delta), self._seen
        rotations = np.stack([pose.rotation for pose in poses])
        places = np.stack([pose.translation for pose in poses])
        turned = np.einsum("nij,nj->ni", rotations[self._origin[self._first]], self._rays)
        ray, apart = turned[seen.point], places[self._origin] - places[seen.image]
        axes, inverse = rotations[seen.image], self._inverse
        for left in range(_INVERSE_STEPS, -1, -1):
            along = inverse[seen.point]
            sight = ray + along[:, None] * apart
            value, by_sight, by_inverse = self._projected(sight, apart, axes, along)
            if left:
                square = np.maximum(self._summed(by_inverse**2), 1e-300)
                inverse = inverse - self._summed(by_inverse * value) / square
                inverse = np.maximum(inverse, _LEAST_INVERSE)
        return _Linearised(delta.copy(), value, by_inverse, by_sight, sight, ray, along)

    def _projected(
        self,
        sight: NDArray[np.float64],
        apart: NDArray[np.float64],
        axes: NDArray[np.float64],
        inverse: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """``value``, ``by_sight`` and ``by_inverse`` of ``_Linearised``."""
        camera, left = self._camera, self._camera.left
        local = np.einsum("kji,kj->ki", axes, sight)
        nearness = 1.0 / np.maximum(local[:, 2], _LEAST_DEPTH)
        x, y = local[:, 0] * nearness, local[:, 1] * nearness
        disparity = camera.depth_factor * inverse * nearness
        value = np.column_stack([left.fx * x + left.cx, left.fy * y + left.cy, disparity])
        by_local = np.zeros((len(x), 3, 3))
        by_local[:, 0, 0], by_local[:, 0, 2] = left.fx * nearness, -left.fx * x * nearness
        by_local[:, 1, 1], by_local[:, 1, 2] = left.fy * nearness, -left.fy * y * nearness
        by_local[:, 2, 2] = -disparity * nearness
        by_sight = np.einsum("kcj,kij->kci", by_local, axes)
        by_inverse = np.einsum("kci,ki->kc", by_sight, apart)
        by_inverse[:, 2] += camera.depth_factor * nearness
        value -= self._measured
        for part in (value, by_inverse):
            part[self._chained, :2] -= part[self._before, :2]
            part *= self._scale
        return value, by_sight, by_inverse
