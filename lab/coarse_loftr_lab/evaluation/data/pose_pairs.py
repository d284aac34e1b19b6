"""Image pairs with known relative pose, listed in a text file as SuperGlue (Sarlin 2020) has it.

Each line names two images and holds 36 numbers::

    image0 image1 rot0 rot1 K0(9) K1(9) T_0to1(16)

``rot`` counts quarter turns counter-clockwise that bring an image upright (EXIF); ``K`` is the
camera matrix and ``T`` the motion from camera 0 to camera 1, both row-major and both of the images
as stored, before any turn. Images are turned, and cameras and motion with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.homography_pair import resize
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["PosePair", "PosePairs"]

# A camera turned by a quarter: what was right is now up, what was down is now right.
_QUARTER_TURN = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class PosePair:
    """Two images, their cameras and the true motion: ``x_current = R @ x_reference + t``.

    Attributes:
        name: says which pair it is, in reports.
        reference: grey, uint8 [H, W].
        current: grey, uint8 [H', W'].
        reference_camera: camera matrix float64 [3, 3]; pixel centres at integers.
        current_camera: likewise.
        rotation: float64 [3, 3].
        translation: float64 [3], any unit.
    """

    name: str
    reference: NDArray[np.uint8]
    current: NDArray[np.uint8]
    reference_camera: NDArray[np.float64]
    current_camera: NDArray[np.float64]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Line:
    names: tuple[str, str]
    turns: tuple[int, int]
    cameras: tuple[NDArray[np.float64], NDArray[np.float64]]
    motion: NDArray[np.float64]


class PosePairs:
    """The pairs of a file, loaded one at a time.

    Args:
        file: the list; empty lines are skipped.
        images: folder that its names start from.
        longer_side: every image is resized so that its longer side has this many pixels; ``None``
            keeps the images as they are.

    Raises:
        FileNotFoundError: when the file or an image is missing.
        NotADirectoryError: when there is no such folder.
        ValueError: when the file has no pair or a malformed line.
    """

    def __init__(self, file: Path, images: Path, longer_side: int | None = None) -> None:
        if not file.is_file():
            raise FileNotFoundError(f"there is no file {file}")
        if not images.is_dir():
            raise NotADirectoryError(f"there is no folder {images}")
        if longer_side is not None and longer_side < 1:
            raise ValueError(f"longer side is {longer_side} px; it must be at least 1, or None")
        lines = enumerate(file.read_text().splitlines(), start=1)
        self._lines = [_parse(text, f"{file}, line {n}") for n, text in lines if text.strip()]
        if not self._lines:
            raise ValueError(f"{file} lists no pair")
        for name in {name for line in self._lines for name in line.names}:
            if not (images / name).is_file():
                raise FileNotFoundError(f"{file} names {name}, which is not in {images}")
        self._images = images
        self._longer_side = longer_side

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[PosePair]:
        for line in self._lines:
            views = [
                self._upright(*parts)
                for parts in zip(line.names, line.turns, line.cameras, strict=True)
            ]
            (reference, reference_camera, turned_0), (current, current_camera, turned_1) = views
            yield PosePair(
                " ".join(line.names),
                reference,
                current,
                reference_camera,
                current_camera,
                turned_1 @ line.motion[:3, :3] @ turned_0.T,
                turned_1 @ line.motion[:3, 3],
            )

    def _upright(
        self, name: str, turns: int, camera: NDArray[np.float64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
        """An image, resized and turned, with its camera matrix and the camera's rotation."""
        image = read_grey(self._images / name)
        if self._longer_side is not None:
            image, to_resized = resize(image, self._longer_side / max(image.shape))
            camera = to_resized @ camera
        rotation = np.eye(3)
        for _ in range(turns):
            # Pixel (x, y) goes to (y, width - 1 - x).
            turn = _QUARTER_TURN.copy()
            turn[1, 2] = image.shape[1] - 1
            camera = turn @ camera @ _QUARTER_TURN.T
            rotation = _QUARTER_TURN @ rotation
            image = np.ascontiguousarray(np.rot90(image))
        return image, camera, rotation


def _parse(text: str, where: str) -> _Line:
    words = text.split()
    if len(words) != 38:
        raise ValueError(
            f"{where} has {len(words)} words; it must be 38: "
            "image0 image1 rot0 rot1 K0(9) K1(9) T_0to1(16)"
        )
    try:
        turns = int(words[2]), int(words[3])
        numbers = np.array([float(word) for word in words[4:]])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if not all(0 <= turn <= 3 for turn in turns):
        raise ValueError(f"{where} has quarter turns {turns}; each must be 0, 1, 2 or 3")
    cameras = numbers[:9].reshape(3, 3), numbers[9:18].reshape(3, 3)
    motion = numbers[18:].reshape(4, 4)
    rotation = motion[:3, :3]
    if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-2) or not motion[:3, 3].any():
        raise ValueError(f"{where}: T_0to1 must hold a rotation and a translation that is not zero")
    if not all(camera[0, 0] > 0 and camera[1, 1] > 0 for camera in cameras):
        raise ValueError(f"{where}: focal lengths must be greater than 0")
    return _Line((words[0], words[1]), turns, cameras, motion)
