"""MegaDepth (Li and Snavely, CVPR 2018) with the index that LoFTR trains from."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.training.depth_sequences.layout import PosedCamera
from coarse_loftr_lab.training.depth_sequences.reading import read_grey, without_half_pixel

__all__ = ["MegaDepth"]


class MegaDepth:
    """Images and ``.h5`` depth maps that the ``scene_info`` files of LoFTR's index name.

    Each ``.npz`` holds ``image_paths`` and ``depth_paths`` (relative to the root), ``intrinsics``
    [N, 3, 3], ``poses`` [N, 4, 4] (world to camera) and ``pair_infos``: ((i, j), overlap, ...).

    Args:
        folder: root of images and depth maps.
        index: folder of the ``.npz`` files.
        overlap: only pairs whose overlap in the index lies within these limits are partners.

    Raises:
        ModuleNotFoundError: when h5py is not installed.
        FileNotFoundError: when the index holds no ``.npz`` file.
        ValueError: when one of them is not such an index, or no pair is left.
    """

    def __init__(self, folder: Path, index: Path, overlap: tuple[float, float]) -> None:
        try:
            import h5py
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "mega_depth needs h5py: pip install 'coarse_loftr_lab[train]'"
            ) from error
        self._open = h5py.File
        self._folder = folder
        self._files: list[tuple[str, str]] = []
        self._cameras: list[PosedCamera] = []
        self._partners: list[list[int]] = []
        scenes = sorted(index.glob("**/*.npz"))
        if not scenes:
            raise FileNotFoundError(f"{index} holds no .npz files")
        for scene in scenes:
            self._add_scene(scene, overlap)
        if not self._files:
            raise ValueError(f"{index}: no pair has an overlap within {list(overlap)}")

    def __len__(self) -> int:
        return len(self._files)

    def image(self, number: int) -> NDArray[np.uint8]:
        """Grey levels uint8 [H, W]."""
        return read_grey(self._folder / self._files[number][0])

    def depth(self, number: int) -> NDArray[np.float32]:
        """Depth float32 [H, W], 0 where unknown."""
        with self._open(self._folder / self._files[number][1], "r") as file:
            return np.array(file["depth"], np.float32)

    def camera(self, number: int) -> PosedCamera:
        """Of the index."""
        return self._cameras[number]

    def partners(self, number: int) -> Sequence[int]:
        """Images paired with this one by the index."""
        return self._partners[number]

    def _add_scene(self, path: Path, overlap: tuple[float, float]) -> None:
        content = _read_npz(path)
        missing = {"image_paths", "depth_paths", "intrinsics", "poses", "pair_infos"} - set(content)
        if missing:
            raise ValueError(f"{path} lacks {', '.join(sorted(missing))}")
        partners: dict[int, list[int]] = {}
        for (i, j), share, *_ in content["pair_infos"]:
            if overlap[0] <= share <= overlap[1]:
                partners.setdefault(int(i), []).append(int(j))
                partners.setdefault(int(j), []).append(int(i))
        first = len(self._files)
        place = {number: first + n for n, number in enumerate(sorted(partners))}
        for number in place:
            files = content["image_paths"][number], content["depth_paths"][number]
            self._files.append((str(files[0]), str(files[1])))
            intrinsics = without_half_pixel(content["intrinsics"][number])
            self._cameras.append(
                PosedCamera(intrinsics, np.array(content["poses"][number], np.float64))
            )
            self._partners.append([place[other] for other in partners[number]])


class _NumPyAlone(pickle.Unpickler):
    """Arrays of objects are pickles, and a pickle can run anything: allow NumPy's arrays only."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = {"_reconstruct", "ndarray", "dtype", "scalar"}
        if module.split(".")[0] == "numpy" and name in arrays:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in an index")


def _read_npz(path: Path) -> dict[str, NDArray]:
    content = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    version = np.lib.format.read_magic(file)
                    read = np.lib.format.read_array_header_1_0
                    if version != (1, 0):
                        read = np.lib.format.read_array_header_2_0
                    shape, fortran, kind = read(file)
                    if kind.hasobject:
                        values = _NumPyAlone(file).load()
                    else:
                        order = "F" if fortran else "C"
                        values = np.frombuffer(file.read(), kind).reshape(shape, order=order)
                    content[name.removesuffix(".npy")] = values
    except (zipfile.BadZipFile, pickle.UnpicklingError, ValueError) as error:
        raise ValueError(f"{path} is not an index that can be read: {error}") from error
    return content
