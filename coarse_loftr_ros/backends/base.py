"""The protocol between the matcher and a runtime, and the model files that a runtime loads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.preprocessing import NetworkSize

__all__ = [
    "SHIPPED_MODELS",
    "Backend",
    "BackendError",
    "CoarseMatches",
    "EncodedImage",
    "ModelFiles",
]


SHIPPED_MODELS = ("fast", "accurate")
"""Names of the models in the package; the first is the default."""

_SHIPPED = Path(__file__).parent.parent / "models"


class BackendError(RuntimeError):
    """A runtime or a model that cannot be used, in words for the user."""


@dataclass(frozen=True, eq=False)
class EncodedImage:
    """Features of one image, computed once and kept with it.

    Attributes:
        tokens: the runtime's own handle of the coarse tokens; only the backend that made it
            reads it.
        fine: float32 [H / fine_stride, W / fine_stride, F], unit length per pixel.
    """

    tokens: Any
    fine: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CoarseMatches:
    """How well all coarse cells of two images fit each other.

    The arrays belong to the backend and are valid until its next ``match``.

    Attributes:
        weight: float32 [L, L], reference cells by current cells; the exponential of their
            similarity, up to a common factor.
        reference_sum: float32 [L], sum of each row.
        current_sum: float32 [L], sum of each column.
        reference_max: float32 [L], maximum of each row.
        current_max: float32 [L], maximum of each column.
    """

    weight: NDArray[np.float32]
    reference_sum: NDArray[np.float32]
    current_sum: NDArray[np.float32]
    reference_max: NDArray[np.float32]
    current_max: NDArray[np.float32]

    def confidence(self) -> NDArray[np.float32]:
        """The dual-softmax confidence of all pairs, [L, L] in [0, 1]; too slow for every frame."""
        rows = self.weight / self.reference_sum[:, None]
        return rows * (self.weight / self.current_sum)


_UNCALIBRATED = ((0.0, 0.0), (1.0, 1.0))


def _calibration(points: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Check the points of a calibration curve.

    Raises:
        ValueError: when they do not rise from 0 to 1 within [0, 1].
    """
    curve = tuple((float(x), float(y)) for x, y in points)
    rising = all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(curve))
    if len(curve) < 2 or not rising or curve[0] != (0.0, 0.0) or max(curve[-1]) > 1.0:
        raise ValueError(f"calibration is {curve}; it must rise from (0, 0) within [0, 1]")
    return curve


class Backend(Protocol):
    """One runtime with the model loaded for one network size.

    Construction does all slow work: loading, compiling, warming up. An instance is used from one
    thread at a time.
    """

    name: str
    """``openvino``, ``onnxruntime``, ..."""
    description: str
    """Runtime, version, device and threads, for logs and diagnostics."""
    size: NetworkSize

    def encode(self, image: NDArray[np.float32]) -> EncodedImage:
        """Features of a grey image float32 [1, 1, H, W] in [0, 1] of exactly ``size``."""
        ...

    def match(self, reference: EncodedImage, current: EncodedImage) -> CoarseMatches:
        """Compare two images encoded by this backend."""
        ...


@dataclass(frozen=True)
class ModelFiles:
    """A model as exported: two ONNX graphs and the facts that the matcher needs.

    Attributes:
        name: of the model.
        encode: path of the graph for one image.
        match: path of the graph for two feature sets.
        size: the network size fixed in the graphs, ``None`` when they take any.
        size_multiple: that network sizes must have.
        network_pixels: of the network image, where the user does not say otherwise.
        coarse_stride: px per coarse cell.
        fine_stride: px per fine feature.
        fine_scale: inverse temperature of the fine softmax.
        calibration: rising points (confidence of the network, share of right matches) between
            which published confidences are interpolated; from (0, 0) to (1, 1) without any.
        sha256: of both graphs together, short, for logs and diagnostics.
    """

    name: str
    encode: Path
    match: Path
    size: NetworkSize | None
    size_multiple: int
    network_pixels: int
    coarse_stride: int
    fine_stride: int
    fine_scale: float
    calibration: tuple[tuple[float, float], ...]
    sha256: str

    @classmethod
    def load(cls, model: str | Path = "fast") -> ModelFiles:
        """Read and check a model.

        Args:
            model: name of a model that the package ships, or a folder.

        Raises:
            BackendError: when a file is missing, unreadable or not the one that was exported.
        """
        folder = _SHIPPED / model if model in SHIPPED_MODELS else Path(model).expanduser()
        description = folder / "model.json"
        if not description.is_file():
            raise BackendError(
                f"model: '{model}' is neither a model of the package "
                f"({' or '.join(SHIPPED_MODELS)}) nor a folder with the model.json that "
                "'coarse-loftr export' writes"
            )
        try:
            facts = json.loads(description.read_text())
            hashes = dict(facts["sha256"])
            for file, expected in sorted(hashes.items()):
                found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
                if found != expected:
                    raise BackendError(
                        f"model: {folder / file} is damaged or of another export: its sha256 is "
                        f"{found[:12]}..., model.json says {expected[:12]}..."
                    )
            return cls(
                name=facts["name"],
                encode=folder / "encode.onnx",
                match=folder / "match.onnx",
                size=NetworkSize(*facts["size"]) if facts["size"] else None,
                size_multiple=int(facts["size_multiple"]),
                network_pixels=int(facts["network_pixels"]),
                coarse_stride=int(facts["coarse_stride"]),
                fine_stride=int(facts["fine_stride"]),
                fine_scale=float(facts["fine_scale"]),
                calibration=_calibration(facts.get("calibration", _UNCALIBRATED)),
                sha256=hashlib.sha256("".join(hashes.values()).encode()).hexdigest()[:12],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackendError(f"model: {description} cannot be used: {error!r}") from error

    def check_size(self, size: NetworkSize) -> None:
        """Refuse a network size that the graphs do not take.

        Raises:
            BackendError: naming the size and what is allowed.
        """
        if self.size is not None and size != self.size:
            raise BackendError(f"model {self.name} is fixed to {self.size}, not {size}")
        if size.width % self.size_multiple or size.height % self.size_multiple:
            raise BackendError(
                f"network size {size}: both sides must be multiples of {self.size_multiple}"
            )

    def cells(self, size: NetworkSize) -> int:
        """Coarse cells of an image of ``size``."""
        return (size.width // self.coarse_stride) * (size.height // self.coarse_stride)
