"""Rigid motions and what their errors do to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Pose",
    "compose_covariance",
    "exp_rotation",
    "inverse_covariance",
    "log_rotation",
    "nearest_rotation",
    "skew",
]

_SMALL_ANGLE = 1e-6  # rad; below it the series is exact to the last bit of float64


def skew(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix [3, 3] whose product with ``x`` is the cross product ``vector x x``."""
    x, y, z = np.asarray(vector).tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def exp_rotation(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix [3, 3] about the axis ``vector`` by its length in radians (Rodrigues)."""
    # Written out in plain numbers: one is made in each step of each fit.
    x, y, z = np.asarray(vector, np.float64).tolist()
    square = x * x + y * y + z * z
    angle = math.sqrt(square)
    if angle < _SMALL_ANGLE:
        first, second = 1.0 - square / 6.0, 0.5 - square / 24.0
    else:
        first, second = math.sin(angle) / angle, (1.0 - math.cos(angle)) / square
    xy, xz, yz = second * x * y, second * x * z, second * y * z
    a, b, c = first * x, first * y, first * z
    return np.array(
        [
            [1.0 - second * (y * y + z * z), xy - c, xz + b],
            [xy + c, 1.0 - second * (x * x + z * z), yz - a],
            [xz - b, yz + a, 1.0 - second * (x * x + y * y)],
        ]
    )


def log_rotation(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axis times angle, float64 [3], of a rotation matrix; the angle lies in [0, pi] rad."""
    x, y, z, w = _quaternion(np.asarray(rotation, np.float64))
    axis = np.array([x, y, z])
    length = float(np.sqrt(axis @ axis))
    # The quaternion's vector part keeps its precision at every angle, near pi included.
    factor = 2.0 if length < _SMALL_ANGLE else 2.0 * np.arctan2(length, w) / length
    return factor * axis


def nearest_rotation(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation [3, 3] nearest to a matrix (Frobenius norm)."""
    u, _, v = np.linalg.svd(matrix)
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(v))
    return u @ v


@dataclass(frozen=True, eq=False)
class Pose:
    """A child frame in its parent frame: ``x_parent = rotation @ x_child + translation``.

    Attributes:
        rotation: float64 [3, 3].
        translation: float64 [3], metres (or the units of an unknown scale).

    Raises:
        ValueError: when a shape is wrong, a number is not finite, or the matrix is no rotation.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def __post_init__(self) -> None:
        rotation = np.asarray(self.rotation, np.float64)
        translation = np.asarray(self.translation, np.float64)
        if rotation.shape != (3, 3) or translation.shape != (3,):
            raise ValueError(
                f"pose has a rotation of shape {rotation.shape} and a translation of shape "
                f"{translation.shape}; they must be (3, 3) and (3,)"
            )
        # In plain numbers: poses are made in innermost loops, and NumPy takes longer for so few.
        rows = rotation.tolist()
        (a, b, c), (d, e, f), (g, h, i) = rows
        if not all(map(math.isfinite, (a, b, c, d, e, f, g, h, i, *translation.tolist()))):
            raise ValueError(f"pose is {rows}, {translation.tolist()}; not finite")
        errors = (
            a * a + b * b + c * c - 1.0,
            d * d + e * e + f * f - 1.0,
            g * g + h * h + i * i - 1.0,
            a * d + b * e + c * f,
            a * g + b * h + c * i,
            d * g + e * h + f * i,
        )
        mirrored = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) < 0
        if max(map(abs, errors)) > 1e-6 or mirrored:
            raise ValueError(f"pose rotation is {rows}; it is not a rotation matrix")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)

    @staticmethod
    def identity() -> Pose:
        """The child frame lies on its parent."""
        return Pose(np.eye(3), np.zeros(3))

    @staticmethod
    def from_matrix(matrix: NDArray[np.float64]) -> Pose:
        """From a homogeneous matrix [4, 4] or [3, 4]."""
        matrix = np.asarray(matrix, np.float64)
        if matrix.shape not in ((4, 4), (3, 4)):
            raise ValueError(f"pose matrix has shape {matrix.shape}; it must be (4, 4) or (3, 4)")
        return Pose(matrix[:3, :3], matrix[:3, 3])

    @staticmethod
    def from_quaternion(
        quaternion: tuple[float, float, float, float] | NDArray[np.float64],
        translation: NDArray[np.float64],
    ) -> Pose:
        """From a quaternion (x, y, z, w) of any length but zero."""
        quaternion = np.asarray(quaternion, np.float64)
        length = float(np.linalg.norm(quaternion))
        if quaternion.shape != (4,) or not np.isfinite(length) or length < 1e-9:
            raise ValueError(f"quaternion is {quaternion.tolist()}; it must be (x, y, z, w), not 0")
        x, y, z, w = quaternion / length
        cross = skew(np.array([x, y, z]))
        return Pose(np.eye(3) + 2.0 * w * cross + 2.0 * (cross @ cross), translation)

    @staticmethod
    def exp(vector: NDArray[np.float64]) -> Pose:
        """The motion of a twist, float64 [6]: translation part, then rotation part in rad."""
        vector = np.asarray(vector, np.float64)
        turn = vector[3:]
        return Pose(exp_rotation(turn), _left_jacobian(turn) @ vector[:3])

    def log(self) -> NDArray[np.float64]:
        """The twist, float64 [6], whose ``exp`` this is; its angle lies in [0, pi] rad."""
        turn = log_rotation(self.rotation)
        return np.concatenate([np.linalg.solve(_left_jacobian(turn), self.translation), turn])

    def __matmul__(self, other: Pose) -> Pose:
        return Pose(
            _orthonormal(self.rotation @ other.rotation),
            self.rotation @ other.translation + self.translation,
        )

    @property
    def inverse(self) -> Pose:
        """The parent frame in the child frame."""
        return Pose(self.rotation.T, -self.rotation.T @ self.translation)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Homogeneous matrix, float64 [4, 4]."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.translation
        return matrix

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """Rotation as a unit quaternion (x, y, z, w) with w >= 0."""
        x, y, z, w = _quaternion(self.rotation)
        return float(x), float(y), float(z), float(w)

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points [N, 3] of the child frame in the parent frame."""
        return points @ self.rotation.T + self.translation


def compose_covariance(
    first: Pose,
    first_covariance: NDArray[np.float64],
    second: Pose,
    second_covariance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Covariance [6, 6] of ``first @ second`` from independent errors of both.

    A covariance is that of (translation error, rotation error), both along the axes of the pose's
    parent frame: ``t = t_true + e_t`` and ``R = exp(e_r) R_true``.
    """
    turned = first.rotation
    carry = np.eye(6)
    carry[:3, 3:] = -skew(turned @ second.translation)
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = turned
    return carry @ first_covariance @ carry.T + turn @ second_covariance @ turn.T


def inverse_covariance(pose: Pose, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance [6, 6] of ``pose.inverse``, along the axes of that one's parent frame.

    Args:
        pose: a pose.
        covariance: of its (translation, rotation) errors, along the axes of its parent frame.
    """
    turned = pose.rotation.T
    # R' = exp(e_r) R and t' = t + e_t give -R'^T t' = -R^T t - R^T e_t + R^T (e_r x t).
    carry = np.zeros((6, 6))
    carry[:3, :3] = carry[3:, 3:] = -turned
    carry[:3, 3:] = -turned @ skew(pose.translation)
    return carry @ covariance @ carry.T


def _left_jacobian(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Left Jacobian of SO(3) (Barfoot, State Estimation for Robotics, 2017, eq. 7.37)."""
    square = float(turn @ turn)
    angle = np.sqrt(square)
    if angle < 1e-4:
        first, second = 0.5 - square / 24.0, 1.0 / 6.0 - square / 120.0
    else:
        first, second = (1.0 - np.cos(angle)) / square, (angle - np.sin(angle)) / (square * angle)
    cross = skew(turn)
    return np.eye(3) + first * cross + second * (cross @ cross)


def _orthonormal(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """One Newton step towards the nearest rotation, so that long products stay rotations."""
    return rotation @ (1.5 * np.eye(3) - 0.5 * (rotation.T @ rotation))


def _quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit quaternion (x, y, z, w), w >= 0 (Shepperd 1978: the largest component first)."""
    m = rotation
    squares = np.array(
        [
            1.0 + m[0, 0] - m[1, 1] - m[2, 2],
            1.0 - m[0, 0] + m[1, 1] - m[2, 2],
            1.0 - m[0, 0] - m[1, 1] + m[2, 2],
            1.0 + m[0, 0] + m[1, 1] + m[2, 2],
        ]
    )
    xy, xz, yz = m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1]
    wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    rows = ((0, xy, xz, wx), (xy, 0, yz, wy), (xz, yz, 0, wz), (wx, wy, wz, 0))
    largest = int(np.argmax(squares))
    quaternion = np.array(rows[largest], np.float64)
    quaternion[largest] = squares[largest]
    quaternion /= np.linalg.norm(quaternion)
    return -quaternion if quaternion[3] < 0 else quaternion
