"""Distances of points that one camera has learned from its own motion."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.odometry.linking import nearest_points
from coarse_loftr_ros.odometry.scale import LogLength, weighted_median

__all__ = ["LEAST_COMPARED", "Depths", "compare"]

# Points of two matches this near each other are the same surface point, px.
_SAME_POINT_PX = 1.0
# A point that was not seen before is about as far as its nearest neighbour: up to this distance,
# px, and with this share of the depth more error per px.
_NEIGHBOUR_PX = 6.0
_NEIGHBOUR_SHARE = 0.03
# A depth known worse than this share of it does not determine a length.
_MOST_SHARE = 0.3
LEAST_COMPARED = 8
_CONTRADICTION = 3.0  # standard deviations
# Depths are handed from image to image with matches that are not perfect.
_LEAST_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Depths:
    """Points of one image with their inverse depth along the optical axis.

    Errors of inverse depths are normal even where the parallax is as small as the noise, so that
    they can be averaged (Civera, Davison and Montiel, "Inverse depth parametrization for monocular
    SLAM", T-RO 2008); averaged depths would shrink the world.

    Attributes:
        pixels: float64 [N, 2].
        inverse: float64 [N], over the path's unit; noise may make it negative.
        sigma: standard deviation of ``inverse`` [N]; infinite where nothing is known.
        unit_variance: of the logarithm of the path's unit at this image.
        inherited: float64 [6, 6], covariance (translation, rotation) of the motion that gave them,
            over the square of its length. Its error is in all of them alike.
    """

    pixels: NDArray[np.float64]
    inverse: NDArray[np.float64]
    sigma: NDArray[np.float64]
    unit_variance: float = 0.0
    inherited: NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 6)))

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Which points are known well enough to determine a length, bool [N]."""
        return self.sigma < _MOST_SHARE * self.inverse

    def at(self, pixels: NDArray[np.float64]) -> Depths:
        """What is known of other pixels: of the same points, and with larger errors of neighbours.

        A new reference has corners of its own, few of which were tracked before; without their
        neighbours' depths the first motion from there has too little to hold on to.
        """
        inverse, sigma = np.zeros(len(pixels)), np.full(len(pixels), np.inf)
        near = nearest_points(pixels, self.pixels, _NEIGHBOUR_PX)
        found = near >= 0
        near = near[found]
        apart = np.linalg.norm(pixels[found] - self.pixels[near], axis=1)
        added = np.where(apart > _SAME_POINT_PX, _NEIGHBOUR_SHARE * apart, 0.0)
        inverse[found] = self.inverse[near]
        sigma[found] = np.hypot(self.sigma[near], added * np.abs(self.inverse[near]))
        return replace(self, pixels=pixels, inverse=inverse, sigma=sigma)

    def without(self, pixels: NDArray[np.float64]) -> Depths:
        """The points that are none of these pixels [M, 2]."""
        other = nearest_points(self.pixels, pixels, _SAME_POINT_PX) < 0
        return replace(
            self,
            pixels=self.pixels[other],
            inverse=self.inverse[other],
            sigma=self.sigma[other],
        )

    def scaled(self, factor: float, unit_variance: float) -> Depths:
        """The same points in another unit: depths are multiplied by ``factor``."""
        turn = np.repeat([1.0, 1.0 / factor], 3)  # of a rotation, over a length
        return Depths(
            self.pixels,
            self.inverse / factor,
            self.sigma / factor,
            unit_variance,
            self.inherited * np.outer(turn, turn),
        )

    def joined(self, other: Depths) -> Depths:
        """The points of both."""
        return replace(
            self,
            pixels=np.concatenate([self.pixels, other.pixels]),
            inverse=np.concatenate([self.inverse, other.inverse]),
            sigma=np.concatenate([self.sigma, other.sigma]),
        )

    def merged(self, new: Depths) -> Depths:
        """The same points, in the same unit, by both measurements.

        Where they contradict each other (a wrong match, another surface) the new one counts.
        """
        agree = np.abs(self.inverse - new.inverse) <= _CONTRADICTION * np.hypot(
            self.sigma, new.sigma
        )
        before, after = np.where(agree, self.sigma, np.inf) ** -2.0, new.sigma**-2.0
        total = np.maximum(before + after, 1e-300)
        inverse = (before * self.inverse + after * new.inverse) / total
        sigma = np.maximum(total**-0.5, _LEAST_SHARE * np.abs(inverse))
        known = self.sure
        share = float(np.median((after / total)[known])) if known.any() else 1.0
        inherited = (1.0 - share) * self.inherited + share * new.inherited
        return Depths(self.pixels, inverse, sigma, new.unit_variance, inherited)

    def seen_from(
        self, rays: NDArray[np.float64], into_other: Pose, pixels: NDArray[np.float64]
    ) -> Depths:
        """The same points in another camera.

        Args:
            rays: float64 [N, 3], with z = 1, of the points in this camera.
            into_other: this camera in the other one.
            pixels: float64 [N, 2], of the points in the other one.
        """
        turned = rays @ into_other.rotation[2]
        stretch = turned + into_other.translation[2] * self.inverse
        ahead = (turned > 0) & (stretch > 0)
        stretch = np.where(ahead, stretch, 1.0)
        sigma = np.where(ahead, self.sigma * turned / stretch**2, np.inf)
        return replace(self, pixels=pixels, inverse=self.inverse / stretch, sigma=sigma)


def compare(known: Depths, new: Depths) -> LogLength | None:
    """Length of a translation whose points' depths were known before.

    Each point gives it (its depth times its inverse depth in units of the translation), and the
    weighted median is taken.

    Args:
        known: depths from before.
        new: of the same points, with the translation as unit.

    Returns:
        The length, or ``None`` when too few points give it, or not well enough.
    """
    usable = known.sure
    if np.count_nonzero(usable) < LEAST_COMPARED:
        return None
    depth = 1.0 / known.inverse[usable]
    share = known.sigma[usable] * depth
    lengths = depth * new.inverse[usable]
    noise = (depth * new.sigma[usable]) ** 2
    length, variance = weighted_median(lengths, noise)
    if length > 0.0:
        length, variance = weighted_median(lengths, noise + (length * share) ** 2)
    if length <= 0.0 or variance > (_MOST_SHARE * length) ** 2:
        return None
    return LogLength(float(np.log(length)), variance / length**2)
