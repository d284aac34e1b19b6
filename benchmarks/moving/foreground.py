"""Two views of a photograph before which something moves by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_lab.evaluation.data.random_homographies import HEIGHT, WIDTH, draw_homography
from coarse_loftr_lab.evaluation.data.stress_pairs import VIEWPOINT
from coarse_loftr_lab.evaluation.data.stress_suites import StressScene
from coarse_loftr_ros.recordings.image_files import read_grey
from moving.cut_outs import CutOut, put_in, view_of

__all__ = ["SHARES", "MovingPair", "moving_pair"]

SHARES = (0.1, 0.25, 0.4, 0.55)
"""Of the reference that is covered."""


@dataclass(frozen=True, eq=False)
class MovingPair:
    """A pair with its truth, and images on the way from one to the other.

    Attributes:
        images: the reference first and the current one last, uint8 [480, 640].
        truth: homography of the photograph, reference to current.
        covers: where the moving thing is in each, bool [480, 640].
    """

    images: tuple[NDArray[np.uint8], ...]
    truth: NDArray[np.float64]
    covers: tuple[NDArray[np.bool_], ...]


def moving_pair(
    files: Sequence[Path],
    things: Sequence[CutOut],
    share: float,
    index: int,
    images: int = 2,
    seed: int = 0,
) -> MovingPair:
    """The pair of an index: photograph, thing and both motions are the same for every share.

    The viewpoints are those of ``coarse-loftr evaluate stress``, the thing's own motion is that of
    its suite ``moving foreground``: 40 to 120 px, turned and zoomed a little.
    """
    random = np.random.default_rng([seed, index, 7])
    photograph = read_grey(files[index % len(files)])
    viewpoint = draw_homography(VIEWPOINT, np.random.default_rng([seed, index]))
    scene = StressScene(photograph, photograph, viewpoint, random)
    thing = things[random.integers(len(things))]
    middle = random.uniform(0.3, 0.7, 2) * (WIDTH, HEIGHT)
    angle, distance = random.uniform(0, 2 * np.pi), random.uniform(40, 120)
    turn, zoom = np.radians(random.uniform(-10, 10)), random.uniform(0.9, 1.1)
    shift = distance * np.array([np.cos(angle), np.sin(angle)])
    place = _placed(thing, middle, share)
    views = []
    covers = []
    for done in np.linspace(0, 1, images):
        camera = viewpoint if done == 1 else _part_of(viewpoint, done)
        own = _similarity(zoom**done, done * turn, middle, middle + done * shift)
        background = replace(scene, viewpoint=camera).views()[1 if done else 0]
        shown = view_of(thing, camera @ own @ place if done else place, (WIDTH, HEIGHT))
        views.append(put_in(background, shown))
        covers.append(shown[1] > 0.5)
    # The pair first, so that it is the same with images between and without.
    reference, current = scene.sensed(views[0]), scene.sensed(views[-1])
    between = [scene.sensed(view) for view in views[1:-1]]
    return MovingPair((reference, *between, current), viewpoint, tuple(covers))


def _part_of(viewpoint: NDArray[np.float64], done: float) -> NDArray[np.float64]:
    """A homography that moves the image's corners this share of the way."""
    corners = np.float32([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]])
    moved = cv2.perspectiveTransform(corners[:, None], viewpoint)[:, 0]
    return cv2.getPerspectiveTransform(corners, np.float32((1 - done) * corners + done * moved))


def _similarity(
    zoom: float, turn: float, origin: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Zooms and turns about a point that goes to another one."""
    cosine, sine = zoom * np.cos(turn), zoom * np.sin(turn)
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]])
    matrix[:2, 2] = target - matrix[:2, :2] @ origin
    return matrix


def _placed(thing: CutOut, middle: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Where a thing covers this share of the image around a point; it may reach beyond it."""
    height, width = thing.alpha.shape
    centre = np.array([width - 1, height - 1]) / 2
    low, high = 0.05, 30.0
    for _ in range(24):
        zoom = np.sqrt(low * high)
        motion = _similarity(zoom, 0.0, centre, middle)
        covered = (view_of(thing, motion, (WIDTH, HEIGHT))[1] > 0.5).mean()
        low, high = (zoom, high) if covered < share else (low, zoom)
    return motion
