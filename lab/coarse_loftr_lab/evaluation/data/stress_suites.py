"""Kinds of stress, each as a recipe that makes a pair of images with exact truth.

Where it is not said that both images are under stress, the current one is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.random_homographies import HEIGHT, WIDTH, two_views

__all__ = ["SUITES", "StressScene", "Suite", "line_kernel"]

SENSOR_NOISE = 2.0  # of every image, standard deviation in grey levels
GAMMA = 2.2

Image = NDArray[np.float32]
"""Grey levels float32 [480, 640] in [0, 255], before noise and rounding."""


@dataclass(frozen=True, eq=False)
class StressScene:
    """What a pair is made of.

    Attributes:
        photograph: uint8 [H, W].
        other: another photograph, for what moves before it.
        viewpoint: the homography without stress.
        random: source of all chance of the stress.
    """

    photograph: NDArray[np.uint8]
    other: NDArray[np.uint8]
    viewpoint: NDArray[np.float64]
    random: np.random.Generator

    def views(self) -> tuple[Image, Image]:
        """Both images without stress."""
        reference, current = two_views(self.photograph, self.viewpoint)
        return reference.astype(np.float32), current.astype(np.float32)

    def sensed(self, image: Image, noise: float = SENSOR_NOISE) -> NDArray[np.uint8]:
        """With noise, in whole grey levels."""
        noisy = image + noise * self.random.standard_normal(image.shape, np.float32)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    def pair(self, reference: Image, current: Image, noise: float = SENSOR_NOISE) -> Made:
        """Both images as sensed, with the truth of the viewpoint."""
        return self.sensed(reference, noise), self.sensed(current, noise), self.viewpoint


Made = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]


@dataclass(frozen=True)
class Suite:
    """One kind of stress.

    Attributes:
        name: of the suite.
        quantity: what a dose counts.
        calm: how a table names the absence of this stress.
        doses: in order.
        make: the pair of a scene under a dose: reference, current, homography.
    """

    name: str
    quantity: str
    calm: str
    doses: tuple[float, ...]
    make: Callable[[StressScene, float], Made]


def _about_centre(degrees: float = 0.0, scale: float = 1.0) -> NDArray[np.float64]:
    centre = np.array([[1, 0, (WIDTH - 1) / 2], [0, 1, (HEIGHT - 1) / 2], [0, 0, 1]])
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return centre @ turn @ np.linalg.inv(centre)


def _rotation(scene: StressScene, degrees: float) -> Made:
    """The camera is turned about its optical axis."""
    truth = _about_centre(degrees=degrees) @ scene.viewpoint
    reference, current = two_views(scene.photograph, truth)
    return scene.sensed(np.float32(reference)), scene.sensed(np.float32(current)), truth


def _scale(scene: StressScene, scale: float) -> Made:
    """The current image shows everything this much larger.

    The nearer view is the photograph as it is, the farther one is reduced: neither is blown up.
    Around it the farther view shows another photograph, as around a picture on a wall.
    """
    return _near_and_far(scene, scale, np.eye(3))


def _zoom_and_turn(scene: StressScene, scale: float) -> Made:
    """The same in any direction, anywhere on the wall."""
    random = scene.random
    turn = _about_centre(degrees=random.uniform(0, 360))
    room = 1 - 1.25 * min(scale, 1 / scale)  # for the diagonal
    shift = np.eye(3)
    shift[:2, 2] = random.uniform(-0.5, 0.5, 2) * np.maximum(room, 0) * (WIDTH, HEIGHT)
    return _near_and_far(scene, scale, shift @ turn)


def _near_and_far(scene: StressScene, scale: float, motion: NDArray[np.float64]) -> Made:
    """A pair of this scale, with the farther view moved besides."""
    reduction = min(scale, 1 / scale)
    truth = motion @ _about_centre(scale=reduction) @ scene.viewpoint
    soften = 0.5 * np.sqrt(1 / reduction**2 - 1)
    wall, _ = two_views(scene.other, np.eye(3))
    near, far = two_views(scene.photograph, truth, soften, wall)
    near, far = scene.sensed(np.float32(near)), scene.sensed(np.float32(far))
    if scale < 1:
        return near, far, truth
    back = np.linalg.inv(truth)
    return far, near, back / back[2, 2]


def _slant(scene: StressScene, degrees: float) -> Made:
    """The camera goes so far around the middle of the photograph, in any direction.

    It sees 60 degrees of the world across, and another photograph around this one.
    """
    direction = scene.random.uniform(0, 2 * np.pi)
    axis = np.radians(degrees) * np.array([np.cos(direction), np.sin(direction), 0.0])
    rotation, _ = cv2.Rodrigues(axis)
    focal = WIDTH / 2 / np.tan(np.radians(30))
    camera = np.array([[focal, 0, (WIDTH - 1) / 2], [0, focal, (HEIGHT - 1) / 2], [0, 0, 1.0]])
    # Of the plane at depth 1, about whose middle the camera goes.
    rotation[:, 2] += (0, 0, 1) - rotation @ (0, 0, 1)
    truth = camera @ rotation @ np.linalg.inv(camera) @ scene.viewpoint
    truth /= truth[2, 2]
    wall, _ = two_views(scene.other, np.eye(3))
    soften = 0.5 * np.tan(np.radians(degrees / 2))
    reference, current = two_views(scene.photograph, truth, soften, wall)
    return scene.sensed(np.float32(reference)), scene.sensed(np.float32(current)), truth


def _small_overlap(scene: StressScene, share: float) -> Made:
    """The camera moves along a diagonal until this share of the view is left."""
    side = np.sqrt(share)
    sign = scene.random.choice([-1, 1], 2)
    shift, back = np.eye(3), np.eye(3)
    shift[:2, 2] = (1 - side) * sign * (WIDTH, HEIGHT)
    back[:2, 2] = -shift[:2, 2] / 2
    # The whole way is in the middle of the photograph, which both show twice as large.
    to_reference = back @ _about_centre(scale=2.0)
    truth = scene.viewpoint @ shift
    _, reference = two_views(scene.photograph, to_reference)
    _, current = two_views(scene.photograph, truth @ to_reference)
    return scene.sensed(np.float32(reference)), scene.sensed(np.float32(current)), truth


def _exposure(scene: StressScene, stops: float) -> Made:
    """Light is doubled so often and what exceeds white is lost; or halved."""
    reference, current = scene.views()
    light = np.minimum((current / 255) ** GAMMA * 2**stops, 1)
    return scene.pair(reference, 255 * light ** (1 / GAMMA))


def _motion_blur(scene: StressScene, length: float) -> Made:
    """Smeared along a straight line of this length in any direction."""
    reference, current = scene.views()
    angle = scene.random.uniform(0, np.pi)
    return scene.pair(reference, cv2.filter2D(current, -1, line_kernel(length, angle)))


def line_kernel(length: float, angle: float) -> Image:
    """A line through the middle as weights that sum up to 1, so that blurred points stay put."""
    side = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((side, side), np.float32)
    for along in np.linspace(-length / 2, length / 2, 4 * side + 1):
        x, y = side // 2 + along * np.cos(angle), side // 2 + along * np.sin(angle)
        column, row = int(x), int(y)
        fx, fy = x - column, y - row
        kernel[row : row + 2, column : column + 2] += np.outer([1 - fy, fy], [1 - fx, fx])
    return kernel / kernel.sum()


def _noise(scene: StressScene, deviation: float) -> Made:
    return scene.pair(*scene.views(), noise=deviation)


def _low_light(scene: StressScene, photons: float) -> Made:
    """A white pixel counts so many photons; two electrons of read noise; a quarter as bright."""
    images = []
    for image in scene.views():
        counted = scene.random.poisson((image / 255) ** GAMMA * photons)
        counted = counted + 2 * scene.random.standard_normal(image.shape)
        shown = np.clip(counted / photons / 4, 0, 1) ** (1 / GAMMA)
        images.append(np.rint(255 * shown).astype(np.uint8))
    return images[0], images[1], scene.viewpoint


def _low_texture(scene: StressScene, levels: float) -> Made:
    """Blurred, and all contrast within so many grey levels; one level of noise."""
    images = []
    for image in scene.views():
        blurred = cv2.GaussianBlur(image, (0, 0), 1.5)
        mean = blurred.mean()
        images.append(mean + (blurred - mean) * (levels / 255))
    return scene.pair(*images, noise=1.0)


def _foreground(scene: StressScene, share: float) -> Made:
    """A rectangle of another photograph covers this share of the reference and moves by itself."""
    random = scene.random
    area, aspect = share * WIDTH * HEIGHT, random.uniform(1.0, 16 / 9)
    width, height = np.sqrt(area * aspect), np.sqrt(area / aspect)
    left, top = random.uniform(0, WIDTH - 1 - width), random.uniform(0, HEIGHT - 1 - height)
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    mask[round(top) : round(top + height), round(left) : round(left + width)] = 1

    direction, distance = random.uniform(0, 2 * np.pi), random.uniform(40, 120)
    turn, zoom = random.uniform(-10, 10), random.uniform(0.9, 1.1)
    shift = np.eye(3)
    shift[:2, 2] = distance * np.cos(direction), distance * np.sin(direction)
    motion = scene.viewpoint @ shift @ _about_centre(turn, zoom)

    reference, current = scene.views()
    patch, moved_patch = (np.float32(view) for view in two_views(scene.other, motion))
    moved_mask = cv2.warpPerspective(mask, motion, (WIDTH, HEIGHT))
    return scene.pair(
        reference * (1 - mask) + patch * mask,
        current * (1 - moved_mask) + moved_patch * moved_mask,
    )


SUITES = {
    suite.name: suite
    for suite in (
        Suite("rotation", "degrees", "0", tuple(15.0 * k for k in range(1, 13)), _rotation),
        Suite("scale", "times", "1", (0.4, 0.5, 0.65, 0.8, 1.25, 1.6, 2.0, 2.5), _scale),
        Suite("zoom and turn", "times, any turn", "1", (0.15, 0.2, 0.3, 0.45, 2.2, 3.3, 5.0, 6.5),
              _zoom_and_turn),
        Suite("slant", "degrees", "0", (30.0, 45.0, 55.0, 60.0, 65.0, 70.0), _slant),
        Suite("small overlap", "share", "1", (0.4, 0.2, 0.1, 0.05), _small_overlap),
        Suite("exposure", "stops", "0", (-5.0, -4.0, -3.0, -2.0, 1.0, 2.0, 3.0), _exposure),
        Suite("motion blur", "px", "0", (5.0, 9.0, 15.0, 21.0, 31.0), _motion_blur),
        Suite("noise", "grey levels, both images", "2", (10.0, 20.0, 30.0, 40.0, 60.0), _noise),
        Suite("low light", "photons, both images", "day", (400.0, 100.0, 50.0, 25.0), _low_light),
        Suite("low texture", "grey levels, both images", "255", (64.0, 32.0, 16.0, 8.0),
              _low_texture),
        Suite("moving foreground", "share", "0", (0.1, 0.2, 0.3, 0.4), _foreground),
    )
}  # fmt: skip
