"""Consecutive images without any truth: for distillation alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.depth_sequences.layout import PosedCamera
from coarse_loftr_lab.training.depth_sequences.reading import read_grey

__all__ = ["UnposedImages"]


class UnposedImages:
    """Images of a folder in the order of their names.

    Args:
        folder: of the images; each folder below it is a sequence of its own.
        gap: largest distance between the images of a pair, in images.

    Raises:
        FileNotFoundError: when there are fewer than two images.
    """

    def __init__(self, folder: Path, gap: int) -> None:
        self._gap = gap
        self._paths = sorted(
            path for path in folder.rglob("*") if path.is_file() and cv2.haveImageReader(str(path))
        )
        if len(self._paths) < 2:
            raise FileNotFoundError(f"{folder} holds fewer than two images")

    def __len__(self) -> int:
        return len(self._paths)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Grey levels uint8 [H, W]."""
        return read_grey(self._paths[number])

    def depth(self, number: int) -> None:
        """Unknown."""

    def camera(self, number: int) -> PosedCamera:
        """Of no meaning without depth."""
        return PosedCamera(np.eye(3), np.eye(4))

    def partners(self, number: int) -> Sequence[int]:
        """Images of the same folder at most ``gap`` away."""
        first, last = max(0, number - self._gap), min(len(self), number + self._gap + 1)
        folder = self._paths[number].parent
        return [n for n in range(first, last) if n != number and self._paths[n].parent == folder]
