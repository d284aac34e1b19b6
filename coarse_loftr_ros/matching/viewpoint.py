"""The current image as seen from elsewhere: turned, zoomed, or from where the reference was.

The network matches views that differ by up to about 45 degrees of rotation and a factor of 1.5 in
scale. Beyond that the current image is warped first, and where both show only a small part of the
other, that part alone is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.preprocessing import NetworkSize
from coarse_loftr_ros.matching.homography import fit_homography, image_outline, transfer
from coarse_loftr_ros.matching.matcher import NetworkMatches

__all__ = [
    "FirstHomography",
    "fit_first_homography",
    "overlap_window",
    "render_view",
    "view_change",
    "zoom",
]

# The first homography is fitted to unrefined points: about a fine pixel of tolerance.
_THRESHOLD_PX = 4.0

# A window is this much wider than what it is to show; as a share of the view it is at least so
# wide (the image has no more to show) and at most (the whole view does as well).
_WINDOW_MARGIN, _LEAST_WINDOW, _MOST_WINDOW = 1.1, 0.15, 0.5


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
    if estimate.matrix is None:
        return nothing
    inliers = int(np.count_nonzero(estimate.inlier))
    matrix = estimate.matrix
    x, y, *_ = cv2.mean(matches.reference[estimate.inlier][:, None])
    if matrix[2] @ (x, y, 1) < 0:
        matrix = -matrix  # the same map, with what is seen in front of the camera
    return FirstHomography(matrix, inliers, inliers / len(matches))


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
    (a, b, c), (d, e, f), (g, h, i) = homography.tolist()
    largest = 0.0
    for right, below in ((0, 0), (-1, -1), (1, -1), (1, 1), (-1, 1)):
        x = (size.width - 1) / 2 * (1 + right / 2)
        y = (size.height - 1) / 2 * (1 + below / 2)
        depth = g * x + h * y + i
        if depth < 1e-9:
            return float("inf")
        u, v = (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
        # The local linear map less the identity, and its larger singular value from its squared
        # norm and its determinant.
        ux, uy = (a - u * g) / depth - 1, (b - u * h) / depth
        vx, vy = (d - v * g) / depth, (e - v * h) / depth - 1
        squared, area = ux**2 + uy**2 + vx**2 + vy**2, ux * vy - uy * vx
        larger = (squared + math.sqrt(max(squared**2 - 4 * area**2, 0.0))) / 2
        largest = max(largest, larger)
    return math.sqrt(largest)


def overlap_window(
    homography: NDArray[np.float64], reference: NetworkSize, current: NetworkSize, size: NetworkSize
) -> NDArray[np.float64] | None:
    """The part of the reference that the current view shows as well, where that is small.

    Args:
        homography: from reference to current pixels.
        reference: of the reference view.
        current: of the current view.
        size: of the window's image.

    Returns:
        The similarity from pixels of the window's image to reference pixels, float64 [3, 3];
        ``None`` where the part is not small or nothing can be said.
    """
    back = np.linalg.inv(homography)
    current_outline = image_outline(current.width, current.height)
    outline = transfer(back, current_outline)
    if not np.isfinite(outline).all():
        outline = transfer(-back, current_outline)
    if not (np.abs(outline) < 1e5).all():
        return None
    reference_outline = image_outline(reference.width, reference.height)
    area, common = cv2.intersectConvexConvex(
        outline.astype(np.float32), reference_outline.astype(np.float32)
    )
    if area <= 0:
        return None
    middle, sides, degrees = cv2.minAreaRect(common)
    quarters = round(degrees / 90)
    if quarters % 2:
        sides = sides[::-1]
    share = max((sides[0] + 1) / size.width, (sides[1] + 1) / size.height)
    scale = max(_WINDOW_MARGIN * share, _LEAST_WINDOW)
    if scale > _MOST_WINDOW:
        return None
    # Of its four directions the one that is turned least.
    return _about(middle, math.radians(degrees - 90 * quarters), scale, size)


def _about(
    middle: Sequence[float], angle: float, scale: float, size: NetworkSize
) -> NDArray[np.float64]:
    """A view [3, 3] turned by an angle, with its middle on a point (x, y) of what it shows."""
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    view = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    view[:2, 2] = middle - view[:2, :2] @ ((size.width - 1) / 2, (size.height - 1) / 2)
    return view


def zoom(homography: NDArray[np.float64], size: NetworkSize) -> float:
    """Pixels of the second view per pixel of the first, in the middle of the first.

    Args:
        homography: from the pixels of the first view to those of the second.
        size: of the first view.
    """
    middle = np.array([(size.width - 1) / 2, (size.height - 1) / 2, 1.0])
    depth = max(abs(float(homography[2] @ middle)), 1e-4)
    return math.sqrt(max(abs(cv2.determinant(homography)), 1e-12) / depth**3)


def render_view(
    image: NDArray[np.uint8], view: NDArray[np.float64], size: NetworkSize
) -> NDArray[np.uint8]:
    """The image from another viewpoint.

    Args:
        image: uint8 [H, W].
        view: homography from the result's pixels to the image's.
        size: of the result.
    """
    if zoom(view, size) > 1.5:
        # About every second pixel is taken: without smoothing the view would alias.
        image = cv2.GaussianBlur(image, (5, 5), 0)
    return cv2.warpPerspective(
        image,
        view,
        (size.width, size.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
