"""Labels on disk: points of pairs of images, and a manifest that says where they come from.

``labels.npz`` holds P pairs with M points in all:

========== ============== =====================================================================
pairs      int32 [P, 2]   numbers of the reference and the current image in the manifest's list
first      int64 [P + 1]  pair ``p`` has the points ``first[p]`` to ``first[p + 1]``
reference  float32 [M, 2] px of the reference image, (x, y), the centre of its first pixel at 0
current    float32 [M, 2] px of the current image
agreement  float32 [M]    share of the views in which the teacher found the point again
========== ============== =====================================================================

``manifest.json`` names the teacher, the settings, each image with its size and SHA-256 (paths are
relative to the folder of the labels) and the SHA-256 of ``labels.npz``, so that files of two runs
are never read together.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.files.json_text import json_text

__all__ = ["LABELS", "MANIFEST", "LabelledImage", "Labels", "PairLabels"]

LABELS = "labels.npz"
MANIFEST = "manifest.json"
_FORMAT = 1
_AGAIN = "run 'coarse-loftr label' again"


@dataclass(frozen=True)
class LabelledImage:
    """An image that labels are of.

    Attributes:
        path: of the file.
        width: px.
        height: px.
        sha256: of the file when it was labelled.
    """

    path: Path
    width: int
    height: int
    sha256: str

    @classmethod
    def of(cls, path: Path, size: tuple[int, int]) -> LabelledImage:
        """An image as it is now.

        Raises:
            OSError: when it cannot be read.
        """
        return cls(path, *size, _sha256(path))

    def check(self) -> None:
        """Refuse an image that is not the one that was labelled.

        Raises:
            FileNotFoundError: when it is gone.
            ValueError: when its content is another.
        """
        if not self.path.is_file():
            raise FileNotFoundError(
                f"{self.path}, which labels are of, is not there; put it back or {_AGAIN}"
            )
        if _sha256(self.path) != self.sha256:
            raise ValueError(f"{self.path} has changed since it was labelled; {_AGAIN}")


@dataclass(frozen=True, eq=False)
class PairLabels:
    """The labels of one pair.

    Attributes:
        images: numbers of the reference and the current image.
        reference: float32 [N, 2], px of the reference image.
        current: float32 [N, 2], px of the current image.
        agreement: float32 [N] in (0, 1].
    """

    images: tuple[int, int]
    reference: NDArray[np.float32]
    current: NDArray[np.float32]
    agreement: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labels:
    """All labels of a folder.

    Attributes:
        images: that the pairs number.
        pairs: with at least one point each.
        made_by: teacher and settings, as JSON can hold them.
    """

    images: tuple[LabelledImage, ...]
    pairs: tuple[PairLabels, ...]
    made_by: dict[str, Any]

    def write(self, new: Path, folder: Path) -> None:
        """Write both files.

        Args:
            new: folder to write them in, from which they are moved when they are complete.
            folder: where they will lie.

        Raises:
            OSError: when they cannot be written.
        """
        first = np.cumsum([0, *(len(pair.agreement) for pair in self.pairs)])
        np.savez_compressed(
            new / LABELS,
            pairs=np.array([pair.images for pair in self.pairs], np.int32),
            first=first.astype(np.int64),
            **{
                name: np.concatenate([getattr(pair, name) for pair in self.pairs])
                for name in ("reference", "current", "agreement")
            },
        )
        images = [
            {
                "path": _relative(image.path, folder),
                "size": [image.width, image.height],
                "sha256": image.sha256,
            }
            for image in self.images
        ]
        manifest = {
            "format": _FORMAT,
            **self.made_by,
            "labels_sha256": _sha256(new / LABELS),
            "images": images,
        }
        (new / MANIFEST).write_text(json_text(manifest) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Labels:
        """The labels of a folder; images are not looked at, see ``LabelledImage.check``.

        Raises:
            FileNotFoundError: when one of the files is missing.
            ValueError: when they do not hold labels, or do not belong together.
        """
        for name in (LABELS, MANIFEST):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{folder} has no {name}; labels are what 'coarse-loftr label' writes"
                )
        manifest = _read_manifest(folder / MANIFEST)
        if manifest["labels_sha256"] != _sha256(folder / LABELS):
            raise ValueError(f"{folder / LABELS} is not the file that {MANIFEST} is of; {_AGAIN}")
        try:
            images = tuple(
                LabelledImage(folder.resolve() / one["path"], *map(int, one["size"]), one["sha256"])
                for one in manifest.pop("images")
            )
            with np.load(folder / LABELS, allow_pickle=False) as arrays:
                pairs = tuple(_pairs(arrays, len(images)))
        except (IndexError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{folder} holds no labels that can be read: {error}") from error
        return cls(images, pairs, manifest)

    def check_images(self) -> None:
        """Refuse images that are not the ones that were labelled.

        Raises:
            FileNotFoundError: when one is gone.
            ValueError: when the content of one is another.
        """
        for number in sorted({number for pair in self.pairs for number in pair.images}):
            self.images[number].check()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(manifest, dict) or not {"format", "labels_sha256", "images"} <= set(manifest):
        raise ValueError(f"{path} is no manifest of labels")
    if manifest["format"] != _FORMAT:
        raise ValueError(
            f"{path}: its format is {manifest['format']}; this version reads {_FORMAT}"
        )
    return manifest


def _pairs(arrays: Any, images: int) -> Iterator[PairLabels]:
    numbers, first = arrays["pairs"], arrays["first"]
    reference, current, agreement = (arrays[name] for name in ("reference", "current", "agreement"))
    points = len(agreement)
    fits = (
        numbers.shape == (len(first) - 1, 2)
        and reference.shape == current.shape == (points, 2)
        and first[0] == 0
        and first[-1] == points
        and (np.diff(first) > 0).all()
        and ((numbers >= 0) & (numbers < images)).all()
        and np.isfinite(reference).all()
        and np.isfinite(current).all()
    )
    if not fits or len(numbers) == 0:
        raise ValueError("its arrays do not fit together")
    for pair, begin, end in zip(numbers.tolist(), first[:-1], first[1:], strict=True):
        own = slice(int(begin), int(end))
        yield PairLabels(tuple(pair), reference[own], current[own], agreement[own])


def _relative(path: Path, folder: Path) -> str:
    """A file as seen from a folder; where the file is a link, the link's own place counts."""
    return Path(os.path.relpath(path.parent.resolve() / path.name, folder.resolve())).as_posix()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
