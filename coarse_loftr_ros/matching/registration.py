"""One image in the pixels of another: the warp, how well it fits, and pictures that show it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Registration", "blend", "checkerboard", "difference", "register", "warp"]

_SQUARES = 8  # of the checkerboard, along the longer side
_MIDDLE = 128  # grey of no difference
_FAINTEST = 1e-6  # standard deviation, grey levels, below which there is nothing to correlate


@dataclass(frozen=True, eq=False)
class Registration:
    """A reference image and another one laid on it.

    Attributes:
        reference: grey levels uint8 [H, W].
        warped: the other image as the reference camera would have seen it, uint8 [H, W].
        seen: bool [H, W], where the other image shows something.
        overlap: share of the reference where it does, 0 to 1.
        correlation_before: of both images as they were received, over the same part; ``None``
            when their sizes differ, or one of them is of one grey there.
        correlation_after: of the reference and ``warped`` where ``seen``, -1 to 1; ``None``
            likewise.
    """

    reference: NDArray[np.uint8]
    warped: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    overlap: float
    correlation_before: float | None
    correlation_after: float | None


def register(
    reference: NDArray[np.uint8],
    current: NDArray[np.uint8],
    homography: NDArray[np.float64],
) -> Registration:
    """Lay an image on another one.

    Args:
        reference: grey levels uint8 [H, W] of the image that stays.
        current: grey levels uint8 of the other one, of any size.
        homography: from reference to current pixels, [3, 3].
    """
    size = reference.shape[1], reference.shape[0]
    warped = warp(current, homography, size)
    everywhere = np.full(current.shape, 255, np.uint8)
    seen = warp(everywhere, homography, size) == 255
    before = None
    if current.shape == reference.shape:
        before = _correlation(reference[seen], current[seen])
    after = _correlation(reference[seen], warped[seen])
    return Registration(reference, warped, seen, float(seen.mean()), before, after)


def warp(
    image: NDArray[np.uint8], homography: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """An image in the pixels of the reference, black where it shows nothing.

    Args:
        image: uint8 [H, W] or [H, W, 3].
        homography: from reference pixels to those of ``image``, [3, 3].
        size: (width, height) of the reference.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(image, homography, size, flags=flags)


def blend(registration: Registration) -> NDArray[np.uint8]:
    """The reference in red and the other image in cyan, uint8 [H, W, 3], blue first.

    Brightness and contrast of the other image are made those of the reference.
    """
    other = np.where(registration.seen, _alike(registration), registration.reference)
    other = _grey(other)
    return np.dstack([other, other, registration.reference])


def checkerboard(registration: Registration) -> NDArray[np.uint8]:
    """Squares of both images in turns, uint8 [H, W]; the reference where the other is not seen."""
    height, width = registration.reference.shape
    side = max(1, -(-max(height, width) // _SQUARES))
    rows, columns = np.arange(height)[:, None] // side, np.arange(width) // side
    other = (rows + columns) % 2 == 1
    alike = _grey(_alike(registration))
    return np.where(other & registration.seen, alike, registration.reference)


def difference(registration: Registration) -> NDArray[np.uint8]:
    """Half the difference of the reference and the other image about middle grey, uint8 [H, W].

    Brightness and contrast of the other image are made those of the reference before.
    """
    halved = (registration.reference.astype(np.float32) - _alike(registration)) / 2
    return _grey(np.where(registration.seen, halved, 0) + _MIDDLE)


def _alike(registration: Registration) -> NDArray[np.float32]:
    """The warped image with mean and contrast of the reference where both are seen."""
    warped = registration.warped.astype(np.float32)
    if not registration.seen.any():
        return warped
    reference = registration.reference[registration.seen].astype(np.float32)
    seen = warped[registration.seen]
    gain = reference.std() / max(float(seen.std()), _FAINTEST)
    return (warped - seen.mean()) * gain + reference.mean()


def _grey(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float | None:
    """Pearson's correlation of grey levels."""
    if len(first) == 0 or min(first.std(), second.std()) < _FAINTEST:
        return None
    return float(np.corrcoef(first, second)[0, 1])
