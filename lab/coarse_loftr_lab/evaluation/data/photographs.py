"""The photographs below a folder, and pairs that are made from them."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_ros.recordings.image_files import IMAGE_SUFFIXES, is_image_name

__all__ = ["PhotographPairs", "find_photographs"]


class PhotographPairs(ABC):
    """Pairs that are made from photographs; a pair depends on its index and the seed alone.

    Args:
        directory: folder that is searched for images, with all folders below it.
        count: number of pairs; photographs are used again where there are fewer.
        seed: another seed gives other pairs of the same photographs.
        keep: which images are used; by default those kept out of training.

    Raises:
        NotADirectoryError: when there is no such folder.
        ValueError: when no image in it is kept, or ``count`` is less than 1.
    """

    def __init__(
        self, directory: Path, count: int, seed: int, keep: Callable[[Path], bool] = held_out
    ) -> None:
        if count < 1:
            raise ValueError(f"count is {count}; it must be at least 1")
        self.seed = seed
        self._files = find_photographs(directory, keep)
        self._count = count

    def photograph(self, index: int) -> Path:
        """The file of this index; after the last one comes the first again."""
        return self._files[index % len(self._files)]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> HomographyPair:
        """The pair with this index; the same however often and in whatever order it is asked."""
        if not 0 <= index < self._count:
            raise IndexError(f"pair {index} of {self._count}")
        return self._make(index)

    def __iter__(self) -> Iterator[HomographyPair]:
        return (self[index] for index in range(self._count))

    @abstractmethod
    def _make(self, index: int) -> HomographyPair:
        """The pair with this index, which is valid."""


def find_photographs(directory: Path, keep: Callable[[Path], bool] = held_out) -> list[Path]:
    """Image files of a folder and of all folders below it, in the order of their names' hashes.

    By hash, so that the first few draw on all folders alike.

    Raises:
        NotADirectoryError: when there is no such folder.
        ValueError: when no image in it is kept.
    """
    if not directory.is_dir():
        raise NotADirectoryError(f"there is no folder {directory}")
    images = [path for path in directory.resolve().rglob("*") if is_image_name(path.name)]
    if not images:
        raise ValueError(f"{directory} has no image ({', '.join(IMAGE_SUFFIXES)})")
    files = [path for path in images if keep(path)]
    if not files:
        raise ValueError(
            f"no image of {directory} is used here, which has {len(images)}: by the hash of their "
            "names 8 % of any are kept for evaluation, and the others for all else"
        )
    return sorted(files, key=_name_digest)


def _name_digest(path: Path) -> bytes:
    return hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest()
