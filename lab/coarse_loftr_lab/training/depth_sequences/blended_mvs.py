"""BlendedMVS (Yao et al., CVPR 2020): the layout of MVSNet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.depth_sequences.layout import PosedCamera
from coarse_loftr_lab.training.depth_sequences.reading import (
    read_grey,
    read_pfm,
    without_half_pixel,
)

__all__ = ["BlendedMVS"]


class BlendedMVS:
    """Scenes with ``blended_images/*.jpg``, ``cams/*_cam.txt``, ``rendered_depth_maps/*.pfm``.

    Partners are the views that ``cams/pair.txt`` lists for an image.

    Args:
        folder: one scene or a folder of scenes.

    Raises:
        FileNotFoundError: when there is no scene.
        ValueError: when a file does not hold what the layout says.
    """

    def __init__(self, folder: Path) -> None:
        self._images: list[tuple[Path, str]] = []
        self._partners: list[list[int]] = []
        for pairs in sorted(folder.glob("**/cams/pair.txt")):
            self._add_scene(pairs.parent.parent, pairs)
        if not self._images:
            raise FileNotFoundError(f"{folder}: no scene with cams/pair.txt in it")

    def __len__(self) -> int:
        return len(self._images)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Grey levels uint8 [H, W]."""
        scene, name = self._images[number]
        return read_grey(scene / "blended_images" / f"{name}.jpg")

    def depth(self, number: int) -> NDArray[np.float32]:
        """Depth float32 [H, W], 0 where unknown."""
        scene, name = self._images[number]
        return read_pfm(scene / "rendered_depth_maps" / f"{name}.pfm")

    def camera(self, number: int) -> PosedCamera:
        """Of ``cams/*_cam.txt``: ``extrinsic`` and 16 numbers, ``intrinsic`` and 9."""
        scene, name = self._images[number]
        path = scene / "cams" / f"{name}_cam.txt"
        words = path.read_text().split()
        if len(words) < 27 or words[0] != "extrinsic" or words[17] != "intrinsic":
            raise ValueError(f"{path} is not a camera file of MVSNet's layout")
        pose = np.array(words[1:17], np.float64).reshape(4, 4)
        intrinsics = np.array(words[18:27], np.float64).reshape(3, 3)
        return PosedCamera(without_half_pixel(intrinsics), pose)

    def partners(self, number: int) -> Sequence[int]:
        """The views of ``pair.txt``."""
        return self._partners[number]

    def _add_scene(self, scene: Path, pairs: Path) -> None:
        """Of ``pair.txt``: the number of images, then per image a line with its number and one
        with the count of its partners and their numbers and scores."""  # noqa: D205, D209
        lines = [line.split() for line in pairs.read_text().split("\n") if line.strip()]
        listed = {int(own[0]): [int(n) for n in others[1::2]]
                  for own, others in zip(lines[1::2], lines[2::2], strict=True)}  # fmt: skip
        kept = [n for n in listed if (scene / "rendered_depth_maps" / f"{n:08d}.pfm").exists()]
        place = {number: len(self._images) + i for i, number in enumerate(kept)}
        for number in kept:
            self._images.append((scene, f"{number:08d}"))
            self._partners.append([place[n] for n in listed[number] if n in place])
