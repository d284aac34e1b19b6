"""A camera trajectory in the layout of KITTI odometry (Geiger et al. 2012).

A sequence is a folder with the images of ``image_0``, ``poses.txt`` (one row-major 3x4 matrix per
image, camera 0 to world) and ``calib.txt`` or ``calib_P0_P1.txt`` (one row-major 3x4 projection per
line, with or without a ``P0:`` in front; the first is camera 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.recordings.cameras import cameras_of_projections
from coarse_loftr_ros.recordings.folder import find_stereo_folders
from coarse_loftr_ros.recordings.image_files import read_grey
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.kitti import find_calibration, projections_of
from coarse_loftr_ros.recordings.listing import list_folders
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory

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
        ValueError: when images or calibration are missing, a file is malformed, or images and
            poses differ in number.
        FileNotFoundError: when there are no poses.
    """

    def __init__(self, directory: Path) -> None:
        self.name = directory.name
        left = directory / (find_stereo_folders(directory, both=False)[0] or "image_0")
        listing = list_folders(directory, [left], rate=1.0, report=InputReport(strict=True))
        self._images = [file.path for file in listing.images[0]]
        calibration = find_calibration(directory)
        if calibration is None:
            raise ValueError(f"{directory} has no calib.txt")
        self.intrinsics = cameras_of_projections(projections_of(calibration, [left])).left
        truth = read_trajectory(directory / "poses.txt", list(range(listing.frame_sets)))
        self._poses = [truth.poses[file.number].matrix for file in listing.images[0]]

    def __len__(self) -> int:
        return len(self._images)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image of the left camera, grey uint8 [H, W].

        Raises:
            ImageError: when it is no image or a broken one.
        """
        return read_grey(self._images[index])

    def relative_pose(self, reference: int, current: int) -> RelativePose:
        """True motion from image ``reference`` to image ``current``."""
        motion = np.linalg.inv(self._poses[current]) @ self._poses[reference]
        return RelativePose(motion[:3, :3], motion[:3, 3])
