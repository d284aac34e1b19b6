"""Image sequences in the layout of HPatches (Balntas et al. 2017) and the Oxford affine benchmark.

A sequence is a folder with ``1.png`` to ``6.png`` (or .ppm, .pgm, .jpg) and text files ``H_1_2`` to
``H_1_6`` with the 3x3 homography from image 1 to image k, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.homography_pair import (
    HomographyPair,
    resize,
)
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["HPatches"]

SUFFIXES = (".png", ".ppm", ".pgm", ".jpg")


class HPatches:
    """All pairs (1, k) of one sequence folder, or of every sequence folder below a folder.

    Args:
        directory: a sequence, or a folder of sequences.
        shorter_side: every image is resized so that its shorter side has this many pixels, as the
            published figures on HPatches are made (480 since LoFTR, Sun et al. 2021); errors are
            in these pixels. ``None`` keeps the images as they are.

    Raises:
        NotADirectoryError: when there is no such folder.
        ValueError: when no homography file is in it or directly below it, or the shorter side is
            less than 1.
    """

    def __init__(self, directory: Path, shorter_side: int | None = 480) -> None:
        if not directory.is_dir():
            raise NotADirectoryError(f"there is no folder {directory}")
        if shorter_side is not None and shorter_side < 1:
            raise ValueError(f"shorter side is {shorter_side} px; it must be at least 1, or None")
        self._shorter_side = shorter_side
        sequences = [directory, *sorted(path for path in directory.iterdir() if path.is_dir())]
        self._pairs = [
            (sequence, int(file.name.removeprefix("H_1_")))
            for sequence in sequences
            for file in sorted(sequence.glob("H_1_*"))
            if file.name.removeprefix("H_1_").isdecimal()
        ]
        if not self._pairs:
            raise ValueError(f"{directory} holds no H_1_2, H_1_3, ...; nor does a folder in it")

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[HomographyPair]:
        """Pairs in the order of their names; those of a sequence share one reference array."""
        loaded: Path | None = None
        for sequence, number in self._pairs:
            if loaded != sequence:
                loaded = sequence
                reference, reference_map = self._image(sequence, 1)
            current, current_map = self._image(sequence, number)
            truth = _read_homography(sequence / f"H_1_{number}")
            yield HomographyPair(
                name=f"{sequence.name}/1-{number}",
                reference=reference,
                current=current,
                homography=current_map @ truth @ np.linalg.inv(reference_map),
            )

    def _image(self, sequence: Path, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """An image, and the map from its pixels in the file to its pixels here."""
        image = _read_image(sequence, number)
        if self._shorter_side is None:
            return image, np.eye(3)
        return resize(image, self._shorter_side / min(image.shape))


def _read_image(sequence: Path, number: int) -> NDArray[np.uint8]:
    for suffix in SUFFIXES:
        path = sequence / f"{number}{suffix}"
        if path.is_file():
            return read_grey(path)
    raise FileNotFoundError(f"{sequence} has no image {number} ({', '.join(SUFFIXES)})")


def _read_homography(path: Path) -> NDArray[np.float64]:
    try:
        matrix = np.loadtxt(path, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path} does not hold numbers: {error}") from error
    if matrix.shape != (3, 3) or abs(np.linalg.det(matrix)) < 1e-12:
        raise ValueError(f"{path} holds shape {matrix.shape}; it must be an invertible 3x3 matrix")
    return matrix
