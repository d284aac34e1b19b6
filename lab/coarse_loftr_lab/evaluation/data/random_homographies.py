"""Pairs made from photographs: random homographies, and what a camera does to an image besides.

Deterministic: the same folder, count and seed give the same pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.homography_pair import HomographyPair
from coarse_loftr_lab.evaluation.data.photographs import PhotographPairs
from coarse_loftr_lab.evaluation.data.split import held_out
from coarse_loftr_ros.recordings.image_files import read_grey

__all__ = [
    "MODERATE",
    "Distortion",
    "RandomHomographies",
    "draw_homography",
    "two_views",
]

WIDTH, HEIGHT = 640, 480
# The photograph is larger than the view by this factor, so that the moved view has real content
# at its borders; what still lies outside is mirrored.
MARGIN = 1.2


@dataclass(frozen=True)
class Distortion:
    """How strongly pairs are distorted; every figure is the largest, drawn uniformly.

    Attributes:
        corner_px: each corner moves by up to this in x and y.
        strong_corner_px: the same for the strongly distorted share of the pairs.
        strong_share: that share, in [0, 1].
        rotation_deg: in-plane rotation about the centre, either way.
        gamma: grey levels are raised to a power between 1/gamma and gamma.
        blur_px: standard deviation of Gaussian blur.
        noise: standard deviation of Gaussian noise, grey levels.
    """

    corner_px: float
    strong_corner_px: float
    strong_share: float
    rotation_deg: float
    gamma: float
    blur_px: float
    noise: float


MODERATE = Distortion(
    corner_px=45.0,
    strong_corner_px=100.0,
    strong_share=0.2,
    rotation_deg=8.0,
    gamma=1.6,
    blur_px=2.0,
    noise=8.0,
)


class RandomHomographies(PhotographPairs):
    """Pairs of 640x480 images from photographs.

    Args:
        directory: see ``PhotographPairs``.
        count: likewise.
        distortion: how strongly they are distorted.
        seed: another seed gives other homographies of the same photographs.
        keep: see ``PhotographPairs``.

    Raises:
        NotADirectoryError: see ``PhotographPairs``.
        ValueError: likewise.
    """

    def __init__(
        self,
        directory: Path,
        count: int = 80,
        distortion: Distortion = MODERATE,
        seed: int = 0,
        keep: Callable[[Path], bool] = held_out,
    ) -> None:
        super().__init__(directory, count, seed, keep)
        self._distortion = distortion

    def _make(self, index: int) -> HomographyPair:
        path = self.photograph(index)
        return make_pair(
            f"{index:03d} {path.parent.name}/{path.name}",
            read_grey(path),
            self._distortion,
            np.random.default_rng([self.seed, index]),
        )


def make_pair(
    name: str, photograph: NDArray[np.uint8], distortion: Distortion, random: np.random.Generator
) -> HomographyPair:
    """Make a pair of 640x480 images from one photograph of any size.

    Args:
        name: name of the pair.
        photograph: grey, uint8 [H, W].
        distortion: how strongly it is distorted.
        random: source of all chance.
    """
    homography = draw_homography(distortion, random)
    reference, current = two_views(photograph, homography)
    return HomographyPair(
        name,
        _as_a_camera_sees(reference, distortion, random),
        _as_a_camera_sees(current, distortion, random),
        homography,
    )


def two_views(
    photograph: NDArray[np.uint8],
    homography: NDArray[np.float64],
    soften: float = 0.0,
    background: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The middle of a photograph, and the same plane seen through a homography.

    Args:
        photograph: grey, uint8 [H, W] of any size.
        homography: from reference to current pixels.
        soften: standard deviation in px of a blur before the second view, against aliasing where
            it is smaller than the first.
        background: uint8 [480, 640], what the second view shows outside the photograph; mirrored
            content without it.

    Returns:
        Reference and current image, uint8 [480, 640].
    """
    scale = max(MARGIN * WIDTH / photograph.shape[1], MARGIN * HEIGHT / photograph.shape[0])
    smaller = scale < 1
    source = cv2.resize(
        photograph, None, fx=scale, fy=scale,
        interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC,
    )  # fmt: skip
    left, top = (source.shape[1] - WIDTH) // 2, (source.shape[0] - HEIGHT) // 2
    reference = source[top : top + HEIGHT, left : left + WIDTH]
    if soften > 0:
        source = cv2.GaussianBlur(source, (0, 0), soften)
    # Source pixel of a current pixel: back through the homography, then from view to source.
    to_source = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]]) @ np.linalg.inv(homography)
    current = cv2.warpPerspective(
        source,
        to_source,
        (WIDTH, HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        dst=None if background is None else background.copy(),
        borderMode=cv2.BORDER_REFLECT_101 if background is None else cv2.BORDER_TRANSPARENT,
    )
    return reference, current


def draw_homography(distortion: Distortion, random: np.random.Generator) -> NDArray[np.float64]:
    """A random homography of a 640x480 view: corners moved, then rotated about the centre."""
    right, bottom = WIDTH - 1.0, HEIGHT - 1.0
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]])
    strong = random.random() < distortion.strong_share
    reach = distortion.strong_corner_px if strong else distortion.corner_px
    moved = corners + random.uniform(-reach, reach, (4, 2))
    angle = np.radians(random.uniform(-distortion.rotation_deg, distortion.rotation_deg))
    cosine, sine = np.cos(angle), np.sin(angle)
    centre = np.array([right, bottom]) / 2
    turned = (moved - centre) @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    return cv2.getPerspectiveTransform(corners.astype(np.float32), turned.astype(np.float32))


def _as_a_camera_sees(
    image: NDArray[np.uint8], distortion: Distortion, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Blur, gamma and noise."""
    levels = image.astype(np.float32) / 255.0
    blur = random.uniform(0.0, distortion.blur_px)
    if blur > 0.1:
        levels = cv2.GaussianBlur(levels, (0, 0), blur)
    limit = np.log(distortion.gamma)
    levels = np.clip(levels, 0.0, 1.0) ** np.exp(random.uniform(-limit, limit))
    noise = random.standard_normal(levels.shape, np.float32) * random.uniform(0, distortion.noise)
    return np.clip(np.rint(levels * 255.0 + noise), 0, 255).astype(np.uint8)
