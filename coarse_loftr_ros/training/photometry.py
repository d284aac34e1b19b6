"""Photometric changes as real cameras make them, drawn independently for each view."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["disturb"]


def disturb(
    image: NDArray[np.float32], rng: np.random.Generator, strength: float = 1.0
) -> NDArray[np.float32]:
    """Change exposure, sharpness and noise of a grey image.

    Args:
        image: float32 [H, W], grey levels in [0, 1].
        rng: source of all randomness.
        strength: 0 changes nothing, 1 is the full range.

    Returns:
        float32 [H, W] in [0, 1], quantised to 8 bits like a camera's image.
    """
    image = image.copy()
    if rng.random() < 0.35 * strength:
        image = _shade(image, rng)
    if rng.random() < 0.3 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    elif rng.random() < 0.2 * strength:
        image = _motion_blur(image, rng)
    image = np.clip(image, 0.0, 1.0) ** np.float32(np.exp(rng.uniform(-0.5, 0.5) * strength))
    gain = np.float32(np.exp(rng.uniform(-0.7, 0.25) * strength))
    offset = np.float32(rng.uniform(-0.12, 0.12) * strength)
    image = image * gain + offset
    if rng.random() < 0.5 * strength:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image += noise * np.float32(rng.uniform(0.005, 0.05))
    levels = np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.2 * strength:
        quality = int(rng.integers(30, 90))
        _, coded = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        levels = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    return levels.astype(np.float32) * np.float32(1 / 255)


def _shade(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth field of light: shadows, vignettes and unequal lamps."""
    height, width = image.shape
    field = rng.uniform(0.35, 1.3, size=(int(rng.integers(2, 5)), int(rng.integers(2, 5))))
    field = cv2.resize(field.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return image * field


def _motion_blur(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1.0)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
