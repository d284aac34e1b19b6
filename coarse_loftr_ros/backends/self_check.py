"""Whether a GPU computes what the CPU does: a wrong one must not be found out by a robot.

Before a backend of a GPU is used, it matches a drawn pair of images of known homography, and so
does ONNX Runtime on the CPU; the two have to agree. Run so far on CPUs alone (tests).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.backends.base import (
    Backend,
    BackendError,
    CellMatches,
    EngineFolder,
    ModelFiles,
    Reports,
)
from coarse_loftr_ros.backends.tensorrt.cache import EngineCache
from coarse_loftr_ros.images.preprocessing import NetworkSize

__all__ = ["Agreement", "GpuBackend", "agreement", "check_backend", "drawn_pair"]

LEAST_OVERLAP = {"fp32": 0.99, "fp16": 0.97, "int8": 0.97}
"""Least share of matches that both find, by precision."""
MOST_APART_PX = 0.1
"""Most distance between the points of 95 % of the matches that both find."""
MOST_CONFIDENCE = {"fp32": 0.01, "fp16": 0.02, "int8": 0.1}
"""Most difference between the confidences of 95 % of those matches, by precision: most changes of
a single weight move confidences alone."""

_FORMAT = 1  # of what is kept; it changes with the pair and the rules
_CONFIDENCE = 0.2  # of the network
_RIGHT_PX = 4.0
_NVIDIA = re.compile(r"/.*/lib(?:cuda|cublas|cudnn|nv)\w*\.so.*")


class GpuBackend(Backend, Protocol):
    """A backend that is checked before it is used."""

    fingerprint: str
    """Of what it executes: graphs or engines."""


@dataclass(frozen=True)
class Agreement:
    """How alike two backends match the same pair.

    Attributes:
        matches: of the backend under test.
        overlap: matches that both find, as a share of those that either finds.
        points_p95_px: distance between the points of the same match, its 95th percentile; 0
            without matches.
        confidence_p95: difference between the network's confidences of the same match, likewise.
        right: share of the tested backend's matches within 4 px of the truth.
        right_of_cpu: the same of the other one.
    """

    matches: int
    overlap: float
    points_p95_px: float
    confidence_p95: float
    right: float
    right_of_cpu: float

    def fault(self, precision: str) -> str:
        """Why the backend is not to be used; empty when nothing is wrong with it."""
        least, surest = LEAST_OVERLAP[precision], MOST_CONFIDENCE[precision]
        figures = (
            f"of a drawn pair, {self.overlap:.1%} of the matches are those of the CPU (at least "
            f"{least:.0%} are asked for), 95 % of their points within {self.points_p95_px:.3f} px "
            f"({MOST_APART_PX} px), their confidences within {self.confidence_p95:.3f} ({surest}), "
            f"{self.right:.0%} of all right (CPU: {self.right_of_cpu:.0%})"
        )
        right = self.matches > 0 and self.right >= self.right_of_cpu - 0.05
        alike = self.points_p95_px <= MOST_APART_PX and self.confidence_p95 <= surest
        return "" if right and alike and self.overlap >= least else figures


def drawn_pair(
    size: NetworkSize,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """Two grey images uint8 [H, W] of a drawn plane, and the homography from first to second.

    The same for all time: no random numbers but NumPy's of a fixed seed.
    """
    width, height = size.width, size.height
    rng = np.random.default_rng(20)
    margin = 64
    shape = (height + 2 * margin, width + 2 * margin)
    plane = np.full(shape, 128, np.uint8)
    for _ in range(shape[0] * shape[1] // 300):
        centre = rng.integers(0, (shape[1], shape[0]))
        corners = centre + rng.integers(-22, 23, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(plane, [corners.astype(np.int32)], int(rng.integers(0, 256)))
    plane = cv2.GaussianBlur(plane, (0, 0), 0.8)
    to_first = np.array([[1.0, 0, -margin], [0, 1, -margin], [0, 0, 1]])
    turn, zoom = np.deg2rad(4.0), 1.04
    cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
    middle = np.array([[1.0, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    turned = np.array([[cos, -sin, 0.03 * width], [sin, cos, -0.02 * height], [2e-5, 1e-5, 1]])
    homography = middle @ turned @ np.linalg.inv(middle)
    first, second = (
        cv2.warpPerspective(plane, h, (width, height), flags=cv2.INTER_LINEAR)
        for h in (to_first, homography @ to_first)
    )
    return first, second, homography


def agreement(backend: Backend, cpu: Backend, model: ModelFiles) -> Agreement:
    """Match the drawn pair with both.

    Raises:
        DeviceError: when the device fails.
    """
    first, second, homography = drawn_pair(backend.size)
    corners = _corners(first, model)
    ours, theirs = (_match(each, first, second, corners) for each in (backend, cpu))
    both, i, j = np.intersect1d(ours.cell, theirs.cell, assume_unique=True, return_indices=True)
    either = len(ours.cell) + len(theirs.cell) - len(both)
    apart = np.linalg.norm(ours.position[i] - theirs.position[j], axis=1)
    surer = np.abs(ours.confidence[i] - theirs.confidence[j])
    return Agreement(
        matches=len(ours.cell),
        overlap=len(both) / either if either else 1.0,
        points_p95_px=float(np.quantile(apart, 0.95)) if len(both) else 0.0,
        confidence_p95=float(np.quantile(surer, 0.95)) if len(both) else 0.0,
        right=_right(ours, corners, homography),
        right_of_cpu=_right(theirs, corners, homography),
    )


def check_backend(
    backend: GpuBackend,
    model: ModelFiles,
    engines: EngineFolder | None = None,
    reports: Reports | None = None,
) -> None:
    """Refuse a backend that does not match as ONNX Runtime on the CPU does.

    What is found is kept beside the engines, for the same graphs, files of libraries, GPU and
    driver, so that it takes its second once.

    Args:
        backend: of a GPU.
        model: that it has loaded.
        engines: folder of the engines; by default that of ``EngineFolder``.
        reports: told that it was done.

    Raises:
        BackendError: with the figures, or when there is no ONNX Runtime to compare it with.
    """
    kept = engines or EngineFolder()
    cache = EngineCache(kept.path, kept.most_bytes)
    facts = [_FORMAT, backend.fingerprint, backend.description, _driver(), *_libraries()]
    facts.append(cv2.__version__)
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    found = _recalled(cache, name)
    if found is None:
        found = _compare(backend, model)
        cache.keep_check(name, json.dumps(asdict(found)))
        (reports or Reports()).info(
            f"{backend.description}: compared with the CPU, {found.overlap:.1%} of the matches are "
            f"the same, 95 % of the points within {found.points_p95_px:.3f} px"
        )
    fault = found.fault(backend.precision)
    if fault:
        raise BackendError(f"{backend.description} does not compute what the CPU does: {fault}")


def _compare(backend: GpuBackend, model: ModelFiles) -> Agreement:
    try:
        from coarse_loftr_ros.backends.onnxruntime_backend import OnnxRuntimeBackend
    except ImportError as error:
        raise BackendError(
            f"backend '{backend.name}' is compared with ONNX Runtime on the CPU before it is used, "
            f"which cannot be loaded ({error}); pip install onnxruntime"
        ) from error
    # int8 is held to int8: what rounding weights does to matches is no matter of the runtime.
    precision = "int8" if backend.precision == "int8" else "fp32"
    cpu = OnnxRuntimeBackend(model, backend.size, precision=precision)
    try:
        return agreement(backend, cpu, model)
    finally:
        cpu.close()


def _recalled(cache: EngineCache, name: str) -> Agreement | None:
    """What was found before; ``None`` where nothing is kept that can be read."""
    text = cache.kept_check(name)
    if text is None:
        return None
    try:
        values = json.loads(text)
        found = Agreement(int(values.pop("matches")), **{k: float(v) for k, v in values.items()})
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, astuple(found))) else None


def _match(
    backend: Backend,
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    corners: NDArray[np.float32],
) -> CellMatches:
    encoded = backend.encode(first), backend.encode(second)
    return backend.match(*encoded, lambda: corners, _CONFIDENCE, len(corners))


def _corners(image: NDArray[np.uint8], model: ModelFiles) -> NDArray[np.float32]:
    """The strongest corner of every coarse cell, float32 [L, 2]."""
    stride = model.coarse_stride
    rows, columns = image.shape[0] // stride, image.shape[1] // stride
    strength = cv2.cornerMinEigenVal(image, 5)[: rows * stride, : columns * stride]
    tiles = strength.reshape(rows, stride, columns, stride).transpose(0, 2, 1, 3)
    y, x = np.divmod(tiles.reshape(rows * columns, -1).argmax(axis=1), stride)
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([column * stride + x, row * stride + y], axis=1).astype(np.float32)


def _right(
    found: CellMatches, corners: NDArray[np.float32], homography: NDArray[np.float64]
) -> float:
    """Share of matches near the truth."""
    if not len(found.cell):
        return 0.0
    points = corners[found.cell].astype(np.float64)
    truth = cv2.perspectiveTransform(points[None], homography)[0]
    apart = np.linalg.norm(found.position - truth, axis=1)
    return float((apart < _RIGHT_PX).mean())


def _libraries() -> list[str]:
    """NVIDIA's libraries that this process has loaded, each with its size and time.

    cuDNN and cuBLAS are brought up to date without ONNX Runtime or the driver.
    """
    found = []
    with contextlib.suppress(OSError):  # /proc is Linux's
        for path in sorted(set(_NVIDIA.findall(Path("/proc/self/maps").read_text()))):
            file = Path(path).stat()
            found.append(f"{path} {file.st_size} {file.st_mtime_ns}")
    return found


def _driver() -> str:
    """The NVIDIA driver in words; empty where there is none."""
    try:
        return Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
