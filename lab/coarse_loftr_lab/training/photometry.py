"""Photometric changes as real cameras make them, drawn for each view and applied in batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Disturbance", "disturb", "draw_disturbance", "stack_disturbances"]

_KERNEL = 11
_LIGHT = 4


@dataclass(frozen=True, eq=False)
class Disturbance:
    """What happens to one view, or, stacked, to each of B views: float32, [...] or [B, ...].

    In the order in which it happens between the scene and the file.

    Attributes:
        light: [4, 4] factors of a smooth field of light over the view; 1 changes nothing.
        shadow: [4] direction (x, y), offset and depth of a shadow's edge; depth 0 is none.
        highlight: [4] centre (x, y), radius as shares of the view, and strength; 0 is none.
        streaks: [2] share of pixels that start a rain-like streak, and its brightness.
        kernel: [11, 11] blur of the lens and of motion, sum 1.
        vignette: darkening of the corners, share.
        gamma: exponent.
        gain: of the exposure.
        offset: of the black level.
        noise: [3] standard deviations: read noise, shot noise at white, and noise of whole rows.
        jpeg: step of JPEG's quantisation relative to its standard table; 0 is none.
    """

    light: NDArray[np.float32] | Tensor
    shadow: NDArray[np.float32] | Tensor
    highlight: NDArray[np.float32] | Tensor
    streaks: NDArray[np.float32] | Tensor
    kernel: NDArray[np.float32] | Tensor
    vignette: NDArray[np.float32] | Tensor
    gamma: NDArray[np.float32] | Tensor
    gain: NDArray[np.float32] | Tensor
    offset: NDArray[np.float32] | Tensor
    noise: NDArray[np.float32] | Tensor
    jpeg: NDArray[np.float32] | Tensor

    def to(self, device: torch.device | str) -> Disturbance:
        """The same on a device."""
        return Disturbance(*(getattr(self, f.name).to(device) for f in fields(self)))

    def select(self, which: slice) -> Disturbance:
        """Of some of the pairs, whose views are side by side."""
        values = (getattr(self, f.name) for f in fields(self))
        return Disturbance(*(value.unflatten(0, (-1, 2))[which].flatten(0, 1) for value in values))


def stack_disturbances(disturbances: list[Disturbance]) -> Disturbance:
    """One of B views, as tensors."""
    return Disturbance(
        *(
            torch.from_numpy(np.stack([getattr(d, f.name) for d in disturbances]))
            for f in fields(Disturbance)
        )
    )


def draw_disturbance(rng: np.random.Generator, strength: float = 1.0) -> Disturbance:
    """Draw what happens to one view.

    Args:
        rng: source of all randomness.
        strength: 0 changes nothing, 1 is the full range.
    """

    def sometimes(probability: float) -> bool:
        return rng.random() < probability * strength

    light = np.ones((_LIGHT, _LIGHT))
    if sometimes(0.3):
        light = rng.uniform(0.4, 1.3, (_LIGHT, _LIGHT))
    shadow = np.zeros(4)
    if sometimes(0.15):
        turn = rng.uniform(0, 2 * np.pi)
        shadow = np.array(
            [np.cos(turn), np.sin(turn), rng.uniform(-0.5, 0.5), rng.uniform(0.3, 0.8)]
        )
    highlight = np.zeros(4)
    if sometimes(0.1):
        highlight = np.array([*rng.uniform(0, 1, 2), rng.uniform(0.03, 0.2), rng.uniform(0.4, 1.5)])
    streaks = np.zeros(2)
    if sometimes(0.05):
        streaks = np.array([rng.uniform(2e-4, 1e-3), rng.uniform(0.2, 0.6)])
    low_light = sometimes(0.12)
    gain = rng.uniform(0.06, 0.3) if low_light else np.exp(rng.uniform(-0.7, 0.35) * strength)
    noise = np.zeros(3)
    if low_light or sometimes(0.5):
        noise = np.array([rng.uniform(0.003, 0.04), rng.uniform(0.0, 0.05), 0.0])
        if low_light:
            noise[0] *= 0.4
        if rng.random() < 0.2:
            noise[2] = rng.uniform(0.002, 0.015)
    values = (
        light,
        shadow,
        highlight,
        streaks,
        _blur(rng, strength),
        rng.uniform(0.1, 0.6) if sometimes(0.2) else 0.0,
        np.exp(rng.uniform(-0.5, 0.5) * strength),
        gain,
        rng.uniform(-0.08, 0.12) * strength if not low_light else rng.uniform(0.0, 0.03),
        noise,
        rng.uniform(0.3, 2.5) if sometimes(0.2) else 0.0,
    )
    return Disturbance(*(np.asarray(value, np.float32) for value in values))


def _blur(rng: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Gaussian, disc (defocus) or line (motion)."""
    kernel = np.zeros((_KERNEL, _KERNEL))
    middle = _KERNEL // 2
    kind = rng.random() / max(strength, 1e-6)
    at = np.arange(_KERNEL) - middle
    radius = np.hypot(at[:, None], at[None, :])
    if kind < 0.2:
        kernel = np.exp(-0.5 * (radius / rng.uniform(0.4, 1.8)) ** 2)
    elif kind < 0.3:
        kernel = np.clip(rng.uniform(0.8, 3.0) + 0.5 - radius, 0.0, 1.0)
    elif kind < 0.45:
        half = np.array([np.cos(turn := rng.uniform(0, np.pi)), np.sin(turn)])
        half *= rng.uniform(1.0, middle - 0.5)
        for share in np.linspace(-1, 1, 41):
            x, y = middle + half * share
            column, row = int(x), int(y)
            fx, fy = x - column, y - row
            kernel[row, column] += (1 - fx) * (1 - fy)
            kernel[row, column + 1] += fx * (1 - fy)
            kernel[row + 1, column] += (1 - fx) * fy
            kernel[row + 1, column + 1] += fx * fy
    else:
        kernel[middle, middle] = 1.0
    return kernel / kernel.sum()


def disturb(image: Tensor, disturbance: Disturbance, generator: torch.Generator) -> Tensor:
    """Apply a stacked disturbance; the image given is spoilt.

    Args:
        image: float32 [B, 1, H, W], grey levels in [0, 1].
        disturbance: of B views, on the same device.
        generator: of the noise, on the same device.

    Returns:
        float32 [B, 1, H, W] in [0, 1], quantised to 8 bits like a camera's image.
    """
    d = disturbance
    height, width = image.shape[2:]

    def each(values: Tensor) -> Tensor:
        return values[:, None, None, None]

    y = torch.linspace(-0.5, 0.5, height, device=image.device)[:, None]
    x = torch.linspace(-0.5, 0.5, width, device=image.device)[None, :]
    lit = _those((d.light - 1.0).abs().amax((1, 2)))
    if lit:
        rows, columns = (_smooth(side, image.device) for side in (height, width))
        image[lit] = image[lit] * (rows @ d.light[lit, None] @ columns.T)
    shaded = _those(d.shadow[:, 3])
    if shaded:
        normal_x, normal_y, offset, depth = (each(values) for values in d.shadow[shaded].unbind(1))
        edge = torch.sigmoid((x * normal_x + y * normal_y - offset) * 40.0)
        image[shaded] = image[shaded] * (1.0 - depth * edge)
    bright = _those(d.highlight[:, 3])
    if bright:
        cx, cy, radius, strength = (each(values) for values in d.highlight[bright].unbind(1))
        square = (x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2
        image[bright] = image[bright] + strength * torch.exp(-square / (2 * radius**2))
    streaked = _those(d.streaks[:, 0])
    if streaked:
        image[streaked] = image[streaked] + _streaks(height, width, d.streaks[streaked], generator)
    middle = _KERNEL // 2
    blurred = _those(1.0 - d.kernel[:, middle, middle])
    if blurred:
        padded = F.pad(image[blurred], (middle,) * 4, mode="reflect").transpose(0, 1)
        kernels = d.kernel[blurred][:, None]
        image[blurred] = F.conv2d(padded, kernels, groups=len(blurred)).transpose(0, 1)
    darkened = _those(d.vignette)
    if darkened:
        image[darkened] = image[darkened] * (1.0 - each(d.vignette[darkened]) * 2.0 * (x**2 + y**2))
    image = image.clamp(0.0, 1.5).pow_(each(d.gamma)).mul_(each(d.gain)).add_(each(d.offset))
    noisy = _those(d.noise.sum(1))
    if noisy:
        image[noisy] = _noise(image[noisy], d.noise[noisy], generator)
    image = _quantised(image)
    coded = _those(d.jpeg)
    if coded:
        image[coded] = _quantised(_jpeg(image[coded], d.jpeg[coded]))
    return image


def _those(amount: Tensor) -> list[int]:
    """Numbers of the views in which something happens."""
    return (amount > 1e-6).nonzero()[:, 0].tolist()


def _smooth(side: int, device: torch.device) -> Tensor:
    """Weights [side, 4] of bicubic interpolation between the factors of light."""
    factors = torch.eye(_LIGHT, device=device)[None, None]
    return F.interpolate(factors, (side, _LIGHT), mode="bicubic", align_corners=True)[0, 0]


def _quantised(image: Tensor) -> Tensor:
    return image.clamp(0.0, 1.0).mul_(255.0).round_().div_(255.0)


def _noise(image: Tensor, amounts: Tensor, generator: torch.Generator) -> Tensor:
    """Read noise, shot noise whose variance grows with the signal, and noise of whole rows."""
    read, shot, rows = (amounts[:, i, None, None, None] for i in range(3))
    deviation = (read**2 + shot**2 * image.clamp(0.0, 1.0)).sqrt()
    normal = torch.empty_like(image).normal_(generator=generator)
    row = torch.empty_like(image[..., :1]).normal_(generator=generator)
    return image + deviation * normal + rows * row


def _streaks(height: int, width: int, amounts: Tensor, generator: torch.Generator) -> Tensor:
    """Short steep lines of one direction, [B, 1, H, W]."""
    share, brightness = (values[:, None, None, None] for values in amounts.unbind(1))
    start = torch.empty(len(amounts), 1, height, width, device=amounts.device)
    start = (start.uniform_(generator=generator) < share).float()
    lines = torch.zeros_like(start)
    for step in range(12):
        lines += torch.roll(start, (step, step // 4), (2, 3))
    return lines.clamp(max=1.0) * brightness


# ITU-T T.81, table K.1: the luminance table of JPEG.
_JPEG_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def _jpeg(image: Tensor, step: Tensor) -> Tensor:
    """Quantise the cosine transform of 8x8 blocks; the sides are multiples of 8."""
    frequency = torch.arange(8, device=image.device, dtype=torch.float32)
    basis = torch.cos(math.pi / 8 * (frequency[None, :] + 0.5) * frequency[:, None]) * 0.5
    basis[0] *= math.sqrt(0.5)
    table = torch.tensor(_JPEG_TABLE, device=image.device, dtype=torch.float32) / 255.0
    table = table * step[:, None, None, None, None]
    batch, _, height, width = image.shape
    blocks = image.reshape(batch, height // 8, 8, width // 8, 8).transpose(2, 3) - 0.5
    coded = torch.round(basis @ blocks @ basis.T / table) * table
    blocks = basis.T @ coded @ basis + 0.5
    return blocks.transpose(2, 3).reshape(image.shape)
