"""The protocol between the matcher and a runtime, and the model files that a runtime loads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize, network_size

__all__ = [
    "INT8_GRAPH",
    "MOST_SIDE",
    "NCNN_GRAPHS",
    "SHIPPED_MODELS",
    "Backend",
    "BackendError",
    "CellMatches",
    "DeviceError",
    "EncodedImage",
    "EngineFolder",
    "ModelFiles",
    "Reports",
]


SHIPPED_MODELS = ("fast",)
"""Names of the models in the package; the first is the default."""

INT8_GRAPH = "encode.int8.onnx"
"""File in a model's folder that ``coarse-loftr quantize`` adds, listed in ``model.json``."""

NCNN_GRAPHS = ("encode.ncnn.bin", "encode.ncnn.param", "match.ncnn.bin", "match.ncnn.param")
"""Files in a model's folder that ``coarse-loftr ncnn`` adds, likewise; all or none."""

MOST_SIDE = 2048
"""Longest side of a network image, px: the networks know so many positions and no more."""

_SHIPPED = Path(__file__).parent.parent / "models"


class BackendError(RuntimeError):
    """A runtime or a model that cannot be used, in words for the user."""


class DeviceError(BackendError):
    """The device that a backend runs on failed: it is out of memory, lost, or its context is."""


def _ignore(*what: object) -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Reports:
    """Callbacks for what happens while a backend is made and used.

    Attributes:
        info: called with a sentence about slow work that was done.
        warning: called with a sentence when something else is used than was wanted.
        progress: called during slow work with its name and the part of it that is done, 0 to 1.
    """

    info: Callable[[str], None] = _ignore
    warning: Callable[[str], None] = _ignore
    progress: Callable[[str, float], None] = _ignore


@dataclass(frozen=True)
class EngineFolder:
    """Where TensorRT's engines are kept, and how many.

    Attributes:
        path: of the folder; ``None`` is in the user's cache folder.
        most_bytes: of all engines; when one is built, the least recently used ones are removed.
            0 sets no limit.
    """

    path: Path | None = None
    most_bytes: int = 2 * 10**9

    def __post_init__(self) -> None:
        if self.most_bytes < 0:
            raise ValueError(f"most_bytes is {self.most_bytes}; it must not be negative")


EncodedImage: TypeAlias = Any
"""Features of one image, computed once and kept with it: the backend's own handle, which only the
backend that made it reads. They may lie in the memory of a GPU."""


@dataclass(frozen=True, eq=False)
class CellMatches:
    """Pairs of coarse cells that are each other's best.

    Attributes:
        cell: int64 [N], cells of the reference, rising.
        position: float32 [N, 2], where the reference's corner of each cell lies in the current
            network image, (x, y) in px.
        confidence: float32 [N] in [0, 1], the network's own, not calibrated.
    """

    cell: NDArray[np.int64]
    position: NDArray[np.float32]
    confidence: NDArray[np.float32]


_GRAPHS = {"encode.onnx", "match.onnx", INT8_GRAPH, *NCNN_GRAPHS}


def _whole(facts: dict[str, Any], name: str, most: int) -> int:
    value = facts[name]
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from 1 to {most}")
    return value


def _positive(facts: dict[str, Any], name: str) -> float:
    value = facts[name]
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}; it must be a positive number")
    return float(value)


def _fixed_size(size: Any) -> NetworkSize | None:
    if size is None:
        return None
    width, height = size
    sides = {"width": width, "height": height}
    return NetworkSize(*(_whole(sides, name, MOST_SIDE) for name in sides))


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


def _identity(hashes: dict[str, str]) -> str:
    """Of the ONNX graphs: those of other runtimes are made from them, and may come later."""
    of_graphs = (value for file, value in hashes.items() if file.endswith(".onnx"))
    return hashlib.sha256("".join(of_graphs).encode()).hexdigest()[:12]


class Backend(Protocol):
    """One runtime with the model loaded for one network size.

    Construction does all slow work: loading, compiling, warming up. An instance is used from one
    thread at a time.
    """

    name: str
    """``openvino``, ``onnxruntime``, ..."""
    description: str
    """Runtime, version, device, precision and threads, for logs and diagnostics."""
    precision: str
    """``fp32``, ``fp16`` or ``int8``: in which format most of the arithmetic is done."""
    size: NetworkSize
    failure: str
    """What the device last failed of; empty while it works. For diagnostics."""

    def encode(self, image: NDArray[np.uint8]) -> EncodedImage:
        """Features of a grey network image uint8 [H, W] of exactly ``size``.

        Raises:
            DeviceError: when the device fails.
        """
        ...

    def match(
        self,
        reference: EncodedImage,
        current: EncodedImage,
        corners: Callable[[], NDArray[np.float32]],
        threshold: float,
        limit: int,
    ) -> CellMatches:
        """Compare two images encoded by this backend.

        Args:
            reference: its features.
            current: its features.
            corners: gives float32 [L, 2], one pixel (x, y) in each coarse cell of the reference:
                what is looked for in the current image. A runtime that works in the background
                asks for them while it compares the images.
            threshold: least confidence, the network's own.
            limit: most matches; the most confident are kept.

        Raises:
            DeviceError: when the device fails.
        """
        ...

    def close(self) -> None:
        """Give back what the runtime holds; neither this nor its features are used afterwards."""
        ...


@dataclass(frozen=True)
class ModelFiles:
    """A model as exported: its graphs and the facts that the matcher needs.

    Attributes:
        name: of the model.
        encode: path of the graph for one image.
        match: path of the graph for two feature sets.
        encode_int8: path of the graph for one image with int8 convolutions, ``None`` when the
            model has none.
        ncnn: folder of ``NCNN_GRAPHS``, ``None`` when the model has none.
        size: the network size fixed in the graphs, ``None`` when they take any.
        size_multiple: that network sizes must have.
        network_pixels: of the network image, where the user does not say otherwise.
        coarse_stride: px per coarse cell.
        fine_stride: px per fine feature.
        fine_scale: inverse temperature of the fine softmax.
        calibration: rising points (confidence of the network, share of right matches) between
            which published confidences are interpolated; from (0, 0) to (1, 1) without any.
        sha256: of all ONNX graphs together, short, for logs and diagnostics.
    """

    name: str
    encode: Path
    match: Path
    encode_int8: Path | None
    ncnn: Path | None
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
            if not {"encode.onnx", "match.onnx"} <= hashes.keys() <= _GRAPHS:
                raise ValueError(f"sha256 is of {', '.join(map(repr, hashes))}")
            missing = sorted(set(NCNN_GRAPHS) - hashes.keys())
            if 0 < len(missing) < len(NCNN_GRAPHS):
                raise ValueError(f"sha256 has files for ncnn, but not of {', '.join(missing)}")
            for file, expected in sorted(hashes.items()):
                found = hashlib.sha256((folder / file).read_bytes()).hexdigest()
                if found != expected:
                    raise BackendError(
                        f"model: {folder / file} is damaged or of another export: its sha256 is "
                        f"{found[:12]}..., model.json says {expected[:12]}..."
                    )
            return cls(
                name=str(facts["name"]),
                encode=folder / "encode.onnx",
                match=folder / "match.onnx",
                encode_int8=folder / INT8_GRAPH if INT8_GRAPH in hashes else None,
                ncnn=None if missing else folder,
                size=_fixed_size(facts["size"]),
                size_multiple=_whole(facts, "size_multiple", MOST_SIDE),
                network_pixels=_whole(facts, "network_pixels", MOST_SIDE * MOST_SIDE),
                coarse_stride=_whole(facts, "coarse_stride", MOST_SIDE),
                fine_stride=_whole(facts, "fine_stride", MOST_SIDE),
                fine_scale=_positive(facts, "fine_scale"),
                calibration=_calibration(facts.get("calibration", _UNCALIBRATED)),
                sha256=_identity(hashes),
            )
        except KeyError as error:
            raise BackendError(f"model: {description} cannot be used: it has no {error}") from error
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BackendError(f"model: {description} cannot be used: {error}") from error

    def graphs(self) -> list[Path]:
        """Every file but ``model.json``."""
        own = [self.encode, self.match, *([self.encode_int8] if self.encode_int8 else [])]
        return own + [self.ncnn / name for name in NCNN_GRAPHS if self.ncnn is not None]

    def network_size(self, width: int, height: int, pixels: int = 0) -> NetworkSize:
        """The size at which the network sees an image.

        Args:
            width: of the image, px.
            height: of the image, px.
            pixels: of the network image, about; 0 takes what the model was made for.
        """
        if self.size is not None:
            return self.size
        pixels = pixels or self.network_pixels
        return network_size(width, height, pixels, self.size_multiple, MOST_SIDE)

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
        if max(size.width, size.height) > MOST_SIDE:
            raise BackendError(f"network size {size}: both sides must be at most {MOST_SIDE} px")

    def cells(self, size: NetworkSize) -> int:
        """Coarse cells of an image of ``size``."""
        return (size.width // self.coarse_stride) * (size.height // self.coarse_stride)
