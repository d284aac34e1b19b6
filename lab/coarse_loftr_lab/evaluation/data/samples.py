"""Images from which the ranges of activations are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.photographs import find_photographs
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_ros.backends.base import ModelFiles
from coarse_loftr_ros.images.preprocessing import ImageMap, NetworkSize
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = ["SampleImages"]

# Network images of these multiples of the model's own number of pixels, in turn.
_AREAS = (1.0, 0.5, 2.0)


class SampleImages:
    """Network images of photographs: always the same ones of a folder, spread over all of it.

    Photographs are taken in the order of their names' hashes, which draws on all folders below
    alike, and without those that evaluations use (``held_out``). Each keeps its own shape, and the
    sizes alternate between those that a network meets.

    Args:
        directory: folder that is searched for images, with all folders below it.
        count: most photographs to take; a smaller folder gives all it has.
        model: whose network sizes they get.

    Raises:
        NotADirectoryError: when there is no such folder.
        ValueError: when it has no image, or ``count`` is less than 1.
    """

    def __init__(self, directory: Path, count: int, model: ModelFiles) -> None:
        if count < 1:
            raise ValueError(f"samples is {count}; it must be at least 1")
        self.files = find_photographs(directory, lambda path: not held_out(path))[:count]
        self._model = model

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """The network image with this index, float32 [1, 1, H, W] in [0, 1].

        Raises:
            ValueError: when the file is no image.
        """
        image = read_grey(self.files[index])
        height, width = image.shape
        reduced = ImageMap(width, height, self._size(index, width, height)).prepare(image)
        return reduced[None, None].astype(np.float32) / 255

    def _size(self, index: int, width: int, height: int) -> NetworkSize:
        pixels = int(self._model.network_pixels * _AREAS[index % len(_AREAS)])
        return self._model.network_size(width, height, pixels)
