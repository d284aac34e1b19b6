"""What rendered cameras have in common: stamps, a lens, and noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Frame, Intrinsics

__all__ = ["SUPERSAMPLING", "centred_camera", "frame_stamps", "noisy_frame", "seconds_of"]

SUPERSAMPLING = 2
"""Rendered pixels per pixel of the frame, along each side."""

_START = 1_750_000_000_000_000_000  # ns; any time that is clearly not "now"


def frame_stamps(seconds: float, rate: float) -> list[int]:
    """Stamps (ns) of the frames of that many seconds, at least two."""
    return [_START + round(k * 1e9 / rate) for k in range(max(2, round(seconds * rate)))]


def seconds_of(stamp: int) -> float:
    """Seconds from the first frame to the one of that stamp."""
    return (stamp - _START) / 1e9


def centred_camera(focal: float, width: int, height: int) -> Intrinsics:
    """A camera whose principal point is the middle of its image; all in px."""
    return Intrinsics(focal, focal, (width - 1) / 2, (height - 1) / 2)


def noisy_frame(
    image: NDArray[np.float32], stamp: int, noise: float, rng: np.random.Generator
) -> Frame:
    """A frame of an image float32 [H, W] with normal noise of that standard deviation."""
    noisy = image + rng.standard_normal(image.shape, np.float32) * np.float32(noise)
    return Frame(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), stamp, "camera")
