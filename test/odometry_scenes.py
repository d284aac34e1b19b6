"""Point clouds seen by cameras whose poses are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coarse_loftr_ros.cameras.pose import Pose, log_rotation
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.camera_rays import project
from coarse_loftr_ros.odometry.frames import rotation_of_rpy
from coarse_loftr_ros.odometry.observations import StereoMatches, StereoRig, TemporalMatches

WIDTH, HEIGHT = 640, 480
CAMERA = Intrinsics(500.0, 500.0, 319.5, 239.5)
RIG = StereoRig(CAMERA, CAMERA, 0.3)
STEP_NS = 100_000_000


def stamp(index: int) -> int:
    return 1_000_000_000 + index * STEP_NS


def drive(count: int, step: float = 0.4, turn_deg: float = 0.8) -> list[Pose]:
    """A path ahead and around a bend, with a little roll and pitch."""
    poses = [Pose.identity()]
    for k in range(count - 1):
        angles = np.deg2rad([0.3 * np.sin(k), turn_deg, 0.3 * np.cos(1.3 * k)])
        turn = rotation_of_rpy(*angles)
        poses.append(poses[-1] @ Pose(turn, np.array([0.02, -0.01, step])))
    return poses


def cloud(poses: Sequence[Pose], count: int, rng: np.random.Generator, near=4.0, far=40.0):
    """Points before the cameras of a path, float64 [N, 3] in the first camera."""
    owner = rng.integers(0, len(poses), count)
    depth = 1.0 / rng.uniform(1.0 / far, 1.0 / near, count)
    pixels = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    rays = np.column_stack([(pixels - (CAMERA.cx, CAMERA.cy)) / CAMERA.fx, np.ones(count)])
    local = rays * depth[:, None]
    return np.stack([poses[k].apply(point) for k, point in zip(owner, local, strict=True)])


@dataclass(frozen=True)
class Scene:
    """A path through points, and how badly they are matched."""

    poses: list[Pose]
    points: np.ndarray
    noise_px: float = 0.0
    outliers: float = 0.0
    seed: int = 1

    def temporal(self, reference: int, current: int) -> TemporalMatches:
        rng = np.random.default_rng((self.seed, reference, current, 1))
        before, after, seen = self._seen(self._pixels(reference), self._pixels(current))
        after = self._disturb(after, rng)
        return TemporalMatches(
            stamp(reference),
            stamp(current),
            before.astype(np.float32),
            after.astype(np.float32),
            np.ones(len(seen), np.float32),
            (reference * 100_000 + seen).astype(np.uint32),
            WIDTH,
            HEIGHT,
        )

    def stereo(self, index: int) -> StereoMatches:
        rng = np.random.default_rng((self.seed, index, 2))
        right = Pose(np.eye(3), np.array([RIG.baseline_m, 0.0, 0.0]))
        left, other, seen = self._seen(
            self._pixels(index),
            project((self.poses[index] @ right).inverse.apply(self.points), CAMERA),
        )
        other = self._disturb(other, rng)
        return StereoMatches(
            stamp(index),
            left.astype(np.float32),
            other.astype(np.float32),
            np.ones(len(seen), np.float32),
            (index * 100_000 + seen).astype(np.uint32),
        )

    def truth(self, reference: int, current: int) -> Pose:
        return self.poses[reference].inverse @ self.poses[current]

    def _pixels(self, index: int) -> np.ndarray:
        return project(self.poses[index].inverse.apply(self.points), CAMERA)

    @staticmethod
    def _seen(before: np.ndarray, after: np.ndarray):
        inside = np.ones(len(before), bool)
        for pixels in (before, after):
            inside &= ((pixels >= 0) & (pixels < (WIDTH - 1, HEIGHT - 1))).all(axis=1)
        seen = np.flatnonzero(inside)
        return before[seen], after[seen], seen

    def _disturb(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        pixels = pixels + rng.normal(0.0, 1.0, pixels.shape) * self.noise_px
        wrong = rng.random(len(pixels)) < self.outliers
        pixels[wrong] = rng.uniform((0, 0), (WIDTH - 1, HEIGHT - 1), (int(wrong.sum()), 2))
        return pixels


def rotation_error_deg(estimate: Pose, truth: Pose) -> float:
    return float(np.degrees(np.linalg.norm(log_rotation(estimate.rotation @ truth.rotation.T))))


def error_vector(estimate: Pose, truth: Pose) -> np.ndarray:
    """Translation and rotation error, float64 [6], along the parent's axes."""
    turn = log_rotation(estimate.rotation @ truth.rotation.T)
    return np.concatenate([estimate.translation - truth.translation, turn])


def angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
