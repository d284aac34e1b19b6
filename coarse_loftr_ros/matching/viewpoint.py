"""The current image as seen from elsewhere: turned, zoomed, or from where the reference was.

The network matches views that differ by up to about 45 degrees of rotation and a factor of 1.5 in
scale. Beyond that the current image is warped first: by the homography of the frame before, or,
when matching fails, by quarter turns and zooms until one of them matches.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import fit_homography
from coarse_loftr_ros.matching.matcher import NetworkMatches

__all__ = [
    "FirstHomography",
    "candidate_views",
    "fit_first_homography",
    "render_view",
    "view_change",
    "zoom_of",
]

# The first homography is fitted to unrefined points: about a fine pixel of tolerance.
_THRESHOLD_PX = 4.0


@dataclass(frozen=True, eq=False)
class FirstHomography:
    """The homography of unrefined matches, and how many agree with it.

    Attributes:
        matrix: float64 [3, 3] from reference to current pixels, or ``None``.
        inliers: how many matches agree with it.
        ratio: share of the matches that agree.
    """

    matrix: NDArray[np.float64] | None
    inliers: int
    ratio: float

    def explains(self, ratio: float = 0.3) -> bool:
        """Whether at least this share of the matches agrees with the homography."""
        return self.matrix is not None and self.ratio >= ratio


def fit_first_homography(matches: NetworkMatches) -> FirstHomography:
    """A homography of unrefined matches."""
    nothing = FirstHomography(None, 0, 0.0)
    if len(matches) < 12:
        return nothing
    estimate = fit_homography(matches.reference, matches.current, _THRESHOLD_PX)
    if estimate.matrix is None or abs(np.linalg.det(estimate.matrix)) < 1e-9:
        return nothing
    inliers = int(np.count_nonzero(estimate.inlier))
    return FirstHomography(estimate.matrix, inliers, inliers / len(matches))


def candidate_views(size: NetworkSize) -> list[NDArray[np.float64]]:
    """Homographies from a view's pixels to the image's: quarter turns, zooms, then both.

    Args:
        size: of the view and of the image; both are turned about the centre.
    """
    centre = np.array([(size.width - 1) / 2, (size.height - 1) / 2])
    kinds = [(1.0, turn) for turn in (1, 3, 2)]
    kinds += [(zoom, 0) for zoom in (2.0, 0.5)]
    kinds += [(zoom, turn) for turn in (1, 3, 2) for zoom in (2.0, 0.5)]
    views = []
    for zoom, turn in kinds:
        cosine, sine = round(math.cos(turn * math.pi / 2)), round(math.sin(turn * math.pi / 2))
        linear = zoom * np.array([[cosine, -sine], [sine, cosine]])
        view = np.eye(3)
        view[:2, :2] = linear
        view[:2, 2] = centre - linear @ centre
        views.append(view)
    return views


def view_change(homography: NDArray[np.float64], size: NetworkSize) -> float:
    """How much the surroundings of a point differ between two views; shifts do not count.

    Args:
        homography: between the pixels of two views.
        size: of the first view.

    Returns:
        Largest spectral norm of the local linear map less the identity, at the middle of the view
        and halfway to its corners: 0.17 for a rotation by 10 degrees, 0.3 for a zoom by 1.3.
        Infinite where the map ends behind the camera.
    """
    middle = np.array([(size.width - 1) / 2, (size.height - 1) / 2])
    steps = np.array([[0, 0], [-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    points = middle * (1 + steps)
    depth = points @ homography[2, :2] + homography[2, 2]
    if (depth < 1e-9).any():
        return float("inf")
    moved = (points @ homography[:2, :2].T + homography[:2, 2]) / depth[:, None]
    jacobian = homography[None, :2, :2] - moved[:, :, None] * homography[None, None, 2, :2]
    jacobian = jacobian / depth[:, None, None]
    change = jacobian - np.eye(2)
    # The larger singular value of 2x2 matrices, of their squared norm and their determinant.
    squared = np.einsum("nij,nij->n", change, change)
    area = change[:, 0, 0] * change[:, 1, 1] - change[:, 0, 1] * change[:, 1, 0]
    other = np.sqrt(np.maximum(squared**2 - 4 * area**2, 0.0))
    return math.sqrt(float((squared + other).max()) / 2)


def zoom_of(homography: NDArray[np.float64], size: NetworkSize) -> float:
    """How much larger one of two views shows what is in the middle of the first; at least 1.

    Args:
        homography: between the pixels of two views.
        size: of the first view.
    """
    middle = np.array([(size.width - 1) / 2, (size.height - 1) / 2, 1.0])
    depth = max(abs(float(homography[2] @ middle)), 1e-4)
    zoom = math.sqrt(max(abs(float(np.linalg.det(homography))), 1e-12) / depth**3)
    return max(zoom, 1.0 / zoom)


def render_view(
    image: NDArray[np.uint8], view: NDArray[np.float64], size: NetworkSize
) -> NDArray[np.uint8]:
    """The image from another viewpoint.

    Args:
        image: uint8 [H, W].
        view: homography from the result's pixels to the image's.
        size: of the result.
    """
    centre = np.array([(size.width - 1) / 2, (size.height - 1) / 2, 1.0])
    depth = view[2] @ centre
    step = math.sqrt(abs(np.linalg.det(view) / depth**3)) if abs(depth) > 1e-9 else 1.0
    if step > 1.5:
        # About every second pixel is taken: without smoothing the view would alias.
        image = cv2.GaussianBlur(image, (5, 5), 0)
    return cv2.warpPerspective(
        image,
        view,
        (size.width, size.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
