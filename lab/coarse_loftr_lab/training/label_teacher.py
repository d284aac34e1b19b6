"""Teachers that need PyTorch, for labelling: what distillation takes, as a matcher of points."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coarse_loftr_lab.labelling.cell_matcher import CellMatcher
from coarse_loftr_lab.training.teachers import LoftrTeacher, load_teacher
from coarse_loftr_ros.features.pair_matcher import PairMatcher, PointMatches
from coarse_loftr_ros.files.digest import files_digest

__all__ = ["LoftrMatcher", "open_label_teacher"]


def open_label_teacher(
    path: Path, size: tuple[int, int], threshold: float, threads: int
) -> PairMatcher:
    """The teacher in a file: LoFTR with its own points, any other by its cells.

    Args:
        path: what ``load_teacher`` takes.
        size: (width, height) of the images that it sees.
        threshold: least confidence.
        threads: of PyTorch; 0 lets it choose.

    Raises:
        FileNotFoundError, ValueError, ModuleNotFoundError: see ``load_teacher``.
        ValueError: also when the size is none of the teacher's.
    """
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher = load_teacher(path, device, size, option="--teacher")
    settings = {"file": path.name, "digest": files_digest([path])}
    if isinstance(teacher, LoftrTeacher):
        return LoftrMatcher(teacher, path.stem, settings, size, threshold, device)

    def confidences(
        reference: NDArray[np.float32], current: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        images = (torch.from_numpy(each)[None, None].to(device) for each in (reference, current))
        return teacher(*images)[0].float().cpu().numpy()

    return CellMatcher(path.stem, settings, confidences, size, threshold)


class LoftrMatcher:
    """LoFTR's fine matches.

    Args:
        teacher: kornia's network.
        name: for reports.
        settings: what its answers depend on.
        size: (width, height) of the images that it sees.
        threshold: least confidence.
        device: of the network.
    """

    def __init__(
        self,
        teacher: LoftrTeacher,
        name: str,
        settings: dict[str, str],
        size: tuple[int, int],
        threshold: float,
        device: torch.device,
    ) -> None:
        self.name = name
        self.settings = {**settings, "size": list(size), "threshold": threshold}
        self._teacher = teacher
        self._size = size
        self._threshold = threshold
        self._device = device

    def describe(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image; LoFTR looks at both together."""
        return image

    def match(self, reference: NDArray[np.uint8], current: NDArray[np.uint8]) -> PointMatches:
        """Match two images of any size."""
        seen = [
            torch.from_numpy(cv2.resize(image, self._size, interpolation=cv2.INTER_AREA))
            for image in (reference, current)
        ]
        found = self._teacher.points(
            *(image[None, None].to(self._device).float() / 255 for image in seen), self._threshold
        )
        points, others, confidence = (value.cpu().numpy() for value in found)
        return PointMatches(self._to(reference, points), self._to(current, others), confidence)

    def _to(self, image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points of what LoFTR saw in px of the image."""
        scale = np.array(image.shape[::-1]) / self._size
        return ((points + 0.5) * scale - 0.5).astype(np.float32)
