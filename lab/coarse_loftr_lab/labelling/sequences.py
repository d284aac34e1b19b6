"""Folders of images in order, and the pairs that are matched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.recordings.image_files import find_images, read_grey

__all__ = ["ImageSequence", "SequencePair", "find_sequences"]


@dataclass(frozen=True)
class SequencePair:
    """Two images of one sequence.

    Attributes:
        reference: the earlier image.
        current: the image ``gap`` later.
        gap: distance in images.
    """

    reference: Path
    current: Path
    gap: int


@dataclass(frozen=True)
class ImageSequence:
    """The images of one folder, one camera's, in the order of their names.

    Attributes:
        folder: of the images.
        images: at least two files.
    """

    folder: Path
    images: tuple[Path, ...]

    def pairs(self, gaps: Sequence[int], step: int = 1) -> Iterator[SequencePair]:
        """Every ``step``-th image with the ones that lie the gaps after it."""
        for first in range(0, len(self.images), step):
            for gap in gaps:
                if first + gap < len(self.images):
                    yield SequencePair(self.images[first], self.images[first + gap], gap)

    def check_sizes(self) -> tuple[int, int]:
        """(width, height) of all images, px.

        Raises:
            ImageError: when one cannot be read.
            ValueError: when they differ.
        """
        wanted = _size(read_grey(self.images[0]))
        for path in self.images[1:]:
            size = _size(read_grey(path))
            if size != wanted:
                raise ValueError(
                    f"{path} is {size[0]}x{size[1]} px and {self.images[0].name} is "
                    f"{wanted[0]}x{wanted[1]}; the images of a sequence must be of one size"
                )
        return wanted


def find_sequences(folders: Sequence[Path]) -> list[ImageSequence]:
    """The folders with images at and below those given, each a sequence.

    Raises:
        FileNotFoundError: when a folder is not there, or has no image.
        NotADirectoryError: when it is a file.
        ValueError: when a folder has one image alone.
    """
    found: dict[Path, ImageSequence] = {}
    for folder in folders:
        if folder.is_file():
            raise NotADirectoryError(
                f"{folder} is a file; it must be a folder of images in the order of their names"
            )
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
        below = [folder, *sorted(path for path in folder.rglob("*") if path.is_dir())]
        listed = {place: tuple(find_images(place)) for place in below}
        sequences = {place: images for place, images in listed.items() if images}
        if not sequences:
            raise FileNotFoundError(f"{folder} has no image in it")
        for place, images in sequences.items():
            if len(images) < 2:
                raise ValueError(
                    f"{place} has one image, {images[0].name}; a sequence has at least two"
                )
            found[place.absolute()] = ImageSequence(place, images)
    return list(found.values())


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    height, width = image.shape
    return width, height
