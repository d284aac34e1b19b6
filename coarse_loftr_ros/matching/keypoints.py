"""How one image may lie in another, far as they are apart: similarities that keypoints vote for.

SIFT (Lowe, IJCV 2004) finds a patch again whatever its rotation and size, and knows both: each
match of two keypoints is a similarity of the whole image. Those with most votes are proposed; it is
the network that decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Keypoints", "find_keypoints", "propose_similarities"]

_MOST_KEYPOINTS = 1000
# Ten times less than usual: faint textures have keypoints as well, and the strongest are kept.
_LEAST_CONTRAST = 0.004
# Largest ratio of nearest to second nearest distance, generous: wrong matches find no company.
_RATIO = 0.9
_MOST_MATCHES = 300
# Matches agree when each is within this of where the other's similarity puts it: a share of the
# image's side, octaves of size, radians.
_SHIFT, _OCTAVES, _TURN = 0.05, 0.7, 0.5
_LEAST_VOTES = 4
# No camera sees the same scene larger or smaller than this.
_MOST_ZOOM = 100.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """SIFT keypoints of an image.

    Attributes:
        points: complex128 [N], x + iy, px.
        sizes: complex128 [N], diameter of the patch, px, times its direction.
        descriptors: float32 [N, 128], of unit length.
    """

    points: NDArray[np.complex128]
    sizes: NDArray[np.complex128]
    descriptors: NDArray[np.float32]


def find_keypoints(image: NDArray[np.uint8], scale: float = 1.0) -> Keypoints:
    """The strongest keypoints of an image, at most a thousand.

    Args:
        image: uint8 [H, W]; OpenCV looks for keypoints from twice its size on.
        scale: px of the keypoints per px of the image.
    """
    sift = cv2.SIFT_create(_MOST_KEYPOINTS, contrastThreshold=_LEAST_CONTRAST)
    found, descriptors = sift.detectAndCompute(image, None)
    if descriptors is None:
        descriptors = np.zeros((0, 128), np.float32)
    values = np.array([(*each.pt, each.size, each.angle) for each in found]).reshape(-1, 4)
    points = (values[:, 0] + 0.5 + 1j * (values[:, 1] + 0.5)) * scale - (0.5 + 0.5j)
    sizes = values[:, 2] * np.exp(1j * np.radians(values[:, 3])) * scale
    # Roots of the shares: their products compare histograms (Arandjelovic, Zisserman, CVPR 2012).
    shares = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return Keypoints(points, sizes, np.sqrt(shares))


def propose_similarities(
    reference: Keypoints, current: Keypoints, side: float, most: int
) -> list[NDArray[np.float64]]:
    """Similarities that several matches of keypoints agree with, the one with most votes first.

    Args:
        reference: of the reference image.
        current: of the current image.
        side: longer side of the images, px.
        most: proposals.

    Returns:
        Homographies float64 [3, 3] from reference to current pixels.
    """
    first, second = _match(reference.descriptors, current.descriptors)
    start, end = reference.points[first], current.points[second]
    grow = current.sizes[second] / reference.sizes[first]
    # How far the similarity of each match (row) is from each other match (column).
    off = end[None] - end[:, None] - grow[:, None] * (start[None] - start[:, None])
    change = np.log(grow[None] / grow[:, None])
    # Of two views the farther one shows both in fewer pixels.
    agree = np.abs(off) < _SHIFT * side * np.minimum(1.0, np.abs(grow))[:, None]
    agree &= np.abs(change.real) < _OCTAVES * np.log(2)
    agree &= np.abs(change.imag) < _TURN
    proposals: list[NDArray[np.float64]] = []
    while len(proposals) < most and agree.any():
        votes = agree[agree.sum(axis=1).argmax()]
        if np.count_nonzero(votes) < _LEAST_VOTES:
            break
        proposal = _similarity(start[votes], end[votes])
        if proposal is not None:
            proposals.append(proposal)
        agree = agree & ~votes
    return proposals


def _match(
    reference: NDArray[np.float32], current: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of descriptors that are each other's nearest, and clearly nearer than the second."""
    if min(len(reference), len(current)) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    product = reference @ current.T
    rows = np.arange(len(product))
    best = product.argmax(axis=1)
    mutual = product.argmax(axis=0)[best] == rows
    nearest = 1.0 - product[rows, best]
    product[rows, best] = -1.0
    second = np.maximum(1.0 - product.max(axis=1), 1e-6)
    ratio = np.where(mutual, nearest / second, np.inf)
    kept = np.argsort(ratio, kind="stable")[:_MOST_MATCHES]
    kept = kept[ratio[kept] < _RATIO**2]  # of squared distances
    return kept, best[kept]


def _similarity(
    start: NDArray[np.complex128], end: NDArray[np.complex128]
) -> NDArray[np.float64] | None:
    """The similarity [3, 3] that moves points nearest to others, by least squares.

    ``None`` where points of different places would come to one, or one of different places: a
    place has a keypoint for each direction in which it looks strong.
    """
    from_middle, to_middle = start - start.mean(), end - end.mean()
    grow = np.vdot(from_middle, to_middle) / max(np.vdot(from_middle, from_middle).real, 1e-9)
    if not 1 / _MOST_ZOOM < abs(grow) < _MOST_ZOOM:
        return None
    shift = end.mean() - grow * start.mean()
    return np.array(
        [[grow.real, -grow.imag, shift.real], [grow.imag, grow.real, shift.imag], [0, 0, 1]]
    )
