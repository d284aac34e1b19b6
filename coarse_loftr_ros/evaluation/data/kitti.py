"""A camera trajectory in the layout of KITTI odometry (Geiger et al. 2012).

A sequence is a folder with ``image_0/*.png``, ``poses.txt`` (one row-major 3x4 matrix per image,
camera 0 to world) and ``calib.txt`` or ``calib_P0_P1.txt`` (one row-major 3x4 projection per line,
with or without a ``P0:`` in front; the first is camera 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.evaluation.data.homography_pair import read_grey
from coarse_loftr_ros.frame import Intrinsics
from coarse_loftr_ros.recordings.kitti import find_calibration, numbers, read_projections

__all__ = ["KittiSequence", "RelativePose"]


@dataclass(frozen=True, eq=False)
class RelativePose:
    """Motion between two images: ``x_current = rotation @ x_reference + translation``.

    Attributes:
        rotation: float64 [3, 3].
        translation: float64 [3], metres.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


class KittiSequence:
    """The left images of a sequence, their intrinsics and the true motion between them.

    Args:
        directory: the sequence's folder.

    Raises:
        FileNotFoundError: when images, poses or calibration are missing.
        ValueError: when a file is malformed, or images and poses differ in number.
    """

    def __init__(self, directory: Path) -> None:
        self.name = directory.name
        self._images = sorted((directory / "image_0").glob("*.png"))
        if not self._images:
            raise FileNotFoundError(f"{directory} has no images image_0/*.png")
        projection = read_projections(find_calibration(directory))[0]
        self.intrinsics = Intrinsics(
            projection[0, 0], projection[1, 1], projection[0, 2], projection[1, 2]
        )
        self._poses = _read_poses(directory / "poses.txt")
        if len(self._poses) != len(self._images):
            raise ValueError(
                f"{directory} has {len(self._images)} images and {len(self._poses)} poses; "
                "there must be one pose per image"
            )

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image of camera 0, grey uint8 [H, W]."""
        return read_grey(self._images[index])

    def relative_pose(self, reference: int, current: int) -> RelativePose:
        """True motion from image ``reference`` to image ``current``."""
        motion = np.linalg.inv(self._poses[current]) @ self._poses[reference]
        return RelativePose(motion[:3, :3], motion[:3, 3])


def _read_poses(path: Path) -> NDArray[np.float64]:
    """Camera-to-world transforms, float64 [N, 4, 4].

    Raises:
        ValueError: when a line is malformed.
    """
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    poses = np.tile(np.eye(4), (len(lines), 1, 1))
    for pose, line in zip(poses, lines, strict=True):
        pose[:3] = numbers(line, path).reshape(3, 4)
    return poses
