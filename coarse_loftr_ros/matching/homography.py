"""Robust homography of point matches, and how far to trust it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.matching.result import Homography, Status

__all__ = [
    "HomographyFit",
    "HomographySettings",
    "coverage",
    "estimate_homography",
    "fit_homography",
    "image_outline",
    "transfer",
]

# Nothing that a camera does to a plane shrinks or grows it a hundredfold within the view.
_PLAUSIBLE_AREA_RATIO = 100.0
# Below this a homography maps the view to a line, and has no inverse to speak of.
_LEAST_DETERMINANT = 1e-9
# Something with much texture that moves in front of a plain scene has the most matches; the scene
# is seen over a wider part of the image, so many times its area.
_SCENE_SPREAD = 1.5
# From this many times the area on it is not clear which of two motions is the scene's.
_AS_WIDE = 0.5
# Most matches of the scene that lie within the outline of what moves in front of it, as a share.
_SEEN_THROUGH = 0.1
_OTHER_SAMPLES = 500
# Points are not aligned better than to about this.
_LEAST_ERROR_PX = 0.1


@dataclass(frozen=True)
class HomographySettings:
    """Thresholds of the estimator and of the status.

    Attributes:
        threshold_px: largest transfer error of an inlier, px of the network image, so that it
            means the same for every camera.
        min_inliers: inliers in fewer cells mean LOST.
        good_inliers: inliers in fewer cells mean DEGRADED.
        good_inlier_ratio: a smaller share means DEGRADED: much of the scene does not agree with
            the homography (parallax, moving objects) or many matches are wrong.
        good_coverage: inliers on a smaller share of the image mean DEGRADED.
        good_confidence: a smaller median of the inliers' confidence means DEGRADED, where
            confidences are given: matches of a texture that repeats itself may agree by chance,
            and the network is less sure of them.
    """

    threshold_px: float = 3.0
    min_inliers: int = 15
    good_inliers: int = 40
    good_inlier_ratio: float = 0.4
    good_coverage: float = 0.15
    good_confidence: float = 0.85

    def __post_init__(self) -> None:
        if not self.threshold_px > 0:
            raise ValueError(f"threshold_px is {self.threshold_px}; it must be positive")
        if self.min_inliers < 4:
            raise ValueError(f"min_inliers is {self.min_inliers}; a homography needs at least 4")


@dataclass(frozen=True, eq=False)
class HomographyFit:
    """Result of the robust estimation alone.

    Attributes:
        matrix: float64 [3, 3] with ``matrix[2, 2] == 1``, or ``None`` when there is none.
        inlier: bool [N].
    """

    matrix: NDArray[np.float64] | None
    inlier: NDArray[np.bool_]


def transfer(matrix: NDArray[np.float64], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Move points [N, 2] by a homography [3, 3]; infinite where they leave the view's front."""
    points = np.asarray(points, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
        depth = homogeneous[:, 2:]
        return np.where(depth > 1e-9, homogeneous[:, :2] / depth, np.inf)


def image_outline(width: int, height: int) -> NDArray[np.float64]:
    """The centres of an image's corner pixels, clockwise from the top left, float64 [4, 2]."""
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], float)


def fit_homography(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    threshold_px: float,
    samples: int = 2000,
) -> HomographyFit:
    """MSAC with local optimisation (USAC: Raguram et al., PAMI 2013) as OpenCV has it.

    The same input gives the same result. On our matches it was as accurate as MAGSAC++, whose
    score takes five times as long.

    Args:
        reference: float32 [N, 2].
        current: float32 [N, 2].
        threshold_px: largest transfer error of an inlier, in the points' own pixels.
        samples: most that are drawn; fewer where many points agree.
    """
    nothing = HomographyFit(None, np.zeros(len(reference), bool))
    if len(reference) < 4:
        return nothing
    # The state of its random generator is one of the parameters: replays agree to the bit.
    parameters = cv2.UsacParams()
    parameters.threshold = threshold_px
    parameters.maxIterations = samples
    parameters.confidence = 0.999
    matrix, inlier = cv2.findHomography(reference, current, parameters)
    if matrix is None or not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-12:
        return nothing
    matrix = matrix / matrix[2, 2]
    if abs(np.linalg.det(matrix)) < _LEAST_DETERMINANT:
        return nothing
    return HomographyFit(matrix, inlier[:, 0].astype(bool))


def _polished(
    matrix: NDArray[np.float64], reference: NDArray[np.float32], current: NDArray[np.float32]
) -> NDArray[np.float64]:
    """A homography [3, 3] after a step of Gauss and Newton on its inliers [N, 2].

    Least squares take all inliers for equally good, and the threshold lets in errors of many times
    the usual one. Here each is weighted by its error against the median one (Geman and McClure).
    """
    # Of coordinates near 1 the equations are well conditioned.
    middle = reference.mean(axis=0, dtype=np.float64)
    size = max(float(reference.max() - reference.min()), 1.0)
    scaling = np.array([[1, 0, -middle[0]], [0, 1, -middle[1]], [0, 0, size]]) / size
    start = scaling @ matrix @ np.linalg.inv(scaling)
    start /= start[2, 2]
    # The first three columns of both rows of a point's Jacobian; what the last two are of x, of y;
    # the errors in x and in y.
    columns = np.empty((9, len(reference)))
    points, errors = columns[:3], columns[7:]
    points[:2] = ((reference - middle) / size).T
    points[2] = 1.0
    x, y, depth = start @ points
    points /= depth
    x /= depth
    y /= depth
    np.multiply(points[:2], -x, out=columns[3:5])
    np.multiply(points[:2], -y, out=columns[5:7])
    errors[:] = ((current - middle) / size).T
    errors -= x, y
    squared = errors[0] ** 2 + errors[1] ** 2
    usual = max(float(np.median(squared)), (_LEAST_ERROR_PX / size) ** 2)
    weight = (1 + squared / (3 * usual)) ** -2
    # All products that the normal equations are made of.
    product = (columns * weight) @ columns.T
    normal, right = np.zeros((8, 8)), np.zeros(8)
    for axis in (0, 1):
        first, last = slice(3 * axis, 3 * axis + 3), slice(3 + 2 * axis, 5 + 2 * axis)
        normal[first, first] = product[:3, :3]
        normal[first, 6:] = product[:3, last]
        normal[6:, first] = product[last, :3]
        normal[6:, 6:] += product[last, last]
        right[first] = product[:3, 7 + axis]
        right[6:] += product[last, 7 + axis]
    try:
        step = np.linalg.solve(normal, right)
    except np.linalg.LinAlgError:  # all points on a line
        return matrix
    polished = start + np.append(step, 0.0).reshape(3, 3)
    polished = np.linalg.inv(scaling) @ polished @ scaling
    return polished / polished[2, 2]


def coverage(points: NDArray[np.floating], width: int, height: int) -> float:
    """Share of an 8x6 grid over the image that holds at least one of the points [N, 2]."""
    if len(points) == 0:
        return 0.0
    cells = ((points + 0.5) * (8.0 / width, 6.0 / height)).astype(np.int64)
    cells = np.clip(cells, 0, (7, 5))
    return len(np.unique(cells[:, 1] * 8 + cells[:, 0])) / 48.0


def estimate_homography(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    width: int,
    height: int,
    settings: HomographySettings,
    threshold_px: float | None = None,
    cell: NDArray[np.int64] | None = None,
    confidence: NDArray[np.float32] | None = None,
) -> tuple[Homography, NDArray[np.bool_]]:
    """Estimate the homography of matches and its status.

    Args:
        reference: float32 [N, 2], px of the reference image as received.
        current: float32 [N, 2], px of the current image as received.
        width: of the reference image, px.
        height: of the reference image, px.
        settings: thresholds.
        threshold_px: inlier threshold in the points' own pixels; ``None`` takes the settings'.
        cell: int64 [N], on which cell of the reference each match rests; matches of one cell count
            once for the status. ``None``: each has its own.
        confidence: float32 [N] of the matches, the share of right ones; ``None`` asks for none.

    Returns:
        The homography and the inliers, bool [N]; none while LOST.
    """
    threshold_px = threshold_px or settings.threshold_px
    estimate = fit_homography(reference, current, threshold_px)
    other = _other_motion(reference, current, threshold_px, estimate, settings.good_inliers)
    rival_area = other[1] if other else 0.0
    if other and rival_area >= _SCENE_SPREAD:
        estimate, rival_area = other[0], 1 / rival_area
    matrix, inlier = estimate.matrix, estimate.inlier
    errors = np.full(len(reference), np.inf)
    if matrix is not None:
        matrix = _polished(matrix, reference[inlier], current[inlier])
        errors = np.linalg.norm(transfer(matrix, reference) - current, axis=1)
        inlier = errors <= threshold_px
    count = int(np.count_nonzero(inlier))
    support = count if cell is None else np.count_nonzero(np.bincount(cell[inlier]))
    failure = ""
    if matrix is None:
        failure = f"no homography fits {len(reference)} matches"
    elif support < settings.min_inliers:
        failure = f"inliers in {support} cells, fewer than {settings.min_inliers}"
    else:
        failure = _implausible(matrix, width, height)
    if matrix is None or failure:
        lost = Homography(np.eye(3), len(reference), 0, 0, float("inf"), 0.0, Status.LOST, failure)
        return lost, np.zeros_like(inlier)
    rms = float(np.sqrt(np.mean(errors[inlier] ** 2)))
    covered = coverage(reference[inlier], width, height)
    reasons = []
    if support < settings.good_inliers:
        reasons.append(f"inliers in {support} cells, fewer than {settings.good_inliers}")
    ratio = count / len(reference)
    if ratio < settings.good_inlier_ratio:
        reasons.append(f"inlier ratio {ratio:.2f} below {settings.good_inlier_ratio:.2f}")
    if covered < settings.good_coverage:
        reasons.append(f"coverage {covered:.2f} below {settings.good_coverage:.2f}")
    if rival_area >= _AS_WIDE:
        reasons.append(f"another motion over {rival_area:.2f} of the area")
    if confidence is not None:
        median = float(np.median(confidence[inlier]))
        if median < settings.good_confidence:
            reasons.append(f"confidence {median:.2f} below {settings.good_confidence:.2f}")
    status = Status.DEGRADED if reasons else Status.OK
    homography = Homography(
        matrix, len(reference), count, support, rms, covered, status, "; ".join(reasons)
    )
    return homography, inlier


def _other_motion(
    reference: NDArray[np.float32],
    current: NDArray[np.float32],
    threshold_px: float,
    largest: HomographyFit,
    least_inliers: int,
) -> tuple[HomographyFit, float] | None:
    """The motion of what lies around the matches that agree with the first, where there is one.

    Planes of one scene are seen through each other; what moves in front covers what is behind.

    Args:
        reference: float32 [N, 2].
        current: float32 [N, 2].
        threshold_px: largest transfer error of an inlier.
        largest: the motion with the most matches.
        least_inliers: that make another one credible.

    Returns:
        The motion, and the area over which its matches are spread as a multiple of the first's.
    """
    others = np.flatnonzero(~largest.inlier)
    if largest.matrix is None or len(others) < least_inliers:
        return None
    area = _spread(reference[largest.inlier])
    if _spread(reference[others]) < _AS_WIDE * area:
        return None
    hull = cv2.convexHull(reference[largest.inlier])[:, 0]
    if np.mean(_within(hull, reference[others])) > _SEEN_THROUGH:
        return None
    fit = fit_homography(reference[others], current[others], threshold_px, _OTHER_SAMPLES)
    agreeing = others[fit.inlier]
    if len(agreeing) < least_inliers:
        return None
    inlier = np.zeros(len(reference), bool)
    inlier[agreeing] = True
    return HomographyFit(fit.matrix, inlier), _spread(reference[agreeing]) / max(area, 1e-9)


def _spread(points: NDArray[np.float32]) -> float:
    """Area of the ellipse of one standard deviation of points [N, 2], over pi, square px."""
    x, y = (points - points.mean(axis=0)).T
    return math.sqrt(max(float(x @ x) * float(y @ y) - float(x @ y) ** 2, 0.0)) / len(points)


def _within(hull: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which points [N, 2] lie in a convex polygon [K, 2], of either direction."""
    side = np.roll(hull, -1, axis=0) - hull
    away = points[:, None] - hull
    turn = side[:, 0] * away[..., 1] - side[:, 1] * away[..., 0]
    return (turn > 0).all(axis=1) | (turn < 0).all(axis=1)


def _implausible(matrix: NDArray[np.float64], width: int, height: int) -> str:
    """Why no camera could see the image's outline so; empty when one could.

    OpenCV's estimator refuses mirrored views itself; a view collapsed to a point it does not.
    """
    outline = image_outline(width, height)
    depth = outline @ matrix[2, :2] + matrix[2, 2]
    if (depth <= 0).any():
        # The horizon crosses the view: possible for a ground plane, and no area to compare.
        return ""
    moved = transfer(matrix, outline)
    area = 0.5 * abs(
        np.sum(moved[:, 0] * np.roll(moved[:, 1], -1) - np.roll(moved[:, 0], -1) * moved[:, 1])
    )
    ratio = area / ((width - 1) * (height - 1))
    if not 1 / _PLAUSIBLE_AREA_RATIO < ratio < _PLAUSIBLE_AREA_RATIO:
        return f"implausible homography: it changes the image's area by a factor {ratio:.3g}"
    return ""
