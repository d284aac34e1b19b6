"""TUM RGB-D (Sturm et al., IROS 2012): hand-held sequences of a depth camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.depth_sequences.layout import PosedCamera
from coarse_loftr_lab.training.depth_sequences.reading import read_grey

__all__ = ["TumRgbd"]

_DEPTH_PER_METRE = 5000.0
_TOLERANCE_S = 0.02


class TumRgbd:
    """A sequence with ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt``.

    Each colour image takes the nearest depth image and the poses before and after it, within
    0.02 s; between the poses it is interpolated, because at 0.02 s a hand turns by a pixel.

    Args:
        folder: of the sequence.
        intrinsics: fx, fy, cx, cy in px; lens distortion is not undone.
        gap: largest distance between the images of a pair, in images.

    Raises:
        FileNotFoundError: when one of the three lists is missing.
        ValueError: when nothing of them fits together.
    """

    def __init__(
        self, folder: Path, intrinsics: tuple[float, float, float, float], gap: int
    ) -> None:
        fx, fy, cx, cy = intrinsics
        self._intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
        self._folder = folder
        self._gap = gap
        self._frames: list[tuple[str, str, NDArray[np.float64]]] = []
        depths = _read_list(folder / "depth.txt")
        poses = _read_list(folder / "groundtruth.txt")
        depth_stamps = np.array([stamp for stamp, _ in depths])
        pose_stamps = np.array([stamp for stamp, _ in poses])
        values = np.array([value for _, value in poses], np.float64)
        for stamp, (name,) in _read_list(folder / "rgb.txt"):
            nearest = int(np.abs(depth_stamps - stamp).argmin())
            pose = _pose_at(stamp, pose_stamps, values)
            if abs(depth_stamps[nearest] - stamp) <= _TOLERANCE_S and pose is not None:
                self._frames.append((name, depths[nearest][1][0], pose))
        if len(self._frames) < 2:
            raise ValueError(
                f"{folder}: fewer than 2 images have depth and pose within {_TOLERANCE_S} s"
            )

    def __len__(self) -> int:
        return len(self._frames)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Grey levels uint8 [H, W]."""
        return read_grey(self._folder / self._frames[number][0])

    def depth(self, number: int) -> NDArray[np.float32]:
        """Depth in m, float32 [H, W], 0 where unknown."""
        path = self._folder / self._frames[number][1]
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if raw is None or raw.dtype != np.uint16:
            raise ValueError(f"{path} is not a 16-bit depth image")
        return raw.astype(np.float32) / np.float32(_DEPTH_PER_METRE)

    def camera(self, number: int) -> PosedCamera:
        """The given intrinsics and the interpolated pose."""
        return PosedCamera(self._intrinsics, self._frames[number][2])

    def partners(self, number: int) -> Sequence[int]:
        """Images at most ``gap`` away."""
        first, last = max(0, number - self._gap), min(len(self), number + self._gap + 1)
        return [other for other in range(first, last) if other != number]


def _read_list(path: Path) -> list[tuple[float, list[str]]]:
    """Lines of a stamp in s and values, without comments, in order of time."""
    lines = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return sorted((float(line[0]), line[1:]) for line in lines if line)


def _pose_at(
    stamp: float, stamps: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """World to camera, float64 [4, 4], of ``tx ty tz qx qy qz qw`` (camera to world)."""
    after = int(np.searchsorted(stamps, stamp).clip(1, len(stamps) - 1))
    before = after - 1
    if np.abs(stamps[[before, after]] - stamp).max() > _TOLERANCE_S:
        return None
    share = (stamp - stamps[before]) / max(stamps[after] - stamps[before], 1e-9)
    a, b = values[before], values[after]
    # Close quaternions: the normalised mean is the slerp to 1e-5 of a degree.
    turned = b[3:] if a[3:] @ b[3:] >= 0 else -b[3:]
    mean = (1 - share) * a[3:] + share * turned
    x, y, z, w = mean / np.linalg.norm(mean)
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = (1 - share) * a[:3] + share * b[:3]
    return np.linalg.inv(pose)
