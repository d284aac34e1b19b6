"""The worst moments of a recording, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from coarse_loftr_ros.matching.pair_picture import draw_pair
from coarse_loftr_ros.matching.result import MatchResult

__all__ = ["WorstMoments"]

_KEPT = 3
_APART_NS = 1_000_000_000
_WIDTH = 640  # px of reference and current image together
_QUALITY = 50


@dataclass(frozen=True)
class _Moment:
    score: tuple[int, float]
    stamp: int
    caption: dict[str, Any]
    picture: bytes


class WorstMoments:
    """Keeps the images that matched worst, at most three and each a second from the next."""

    def __init__(self) -> None:
        self._kept: list[_Moment] = []
        self._start: int | None = None

    def offer(self, result: MatchResult) -> None:
        """Keep a match while it is among the worst: by status, then by the least coverage."""
        homography, stamp = result.homography, result.current.stamp
        if self._start is None:
            self._start = result.reference.stamp
        score = (int(homography.status), 1.0 - homography.coverage)
        near = [each for each in self._kept if abs(each.stamp - stamp) < _APART_NS]
        if any(each.score >= score for each in near):
            return
        others = [each for each in self._kept if each not in near]
        if len(others) >= _KEPT:
            least = min(others, key=lambda each: each.score)
            if least.score >= score:
                return
            others.remove(least)
        caption = {
            "stamp": stamp,
            "after": (stamp - self._start) / 1e9,
            "status": homography.status.name,
            "reason": homography.reason,
            "matches": homography.match_count,
            "inliers": homography.inlier_count,
            "coverage": homography.coverage,
        }
        self._kept = [*others, _Moment(score, stamp, caption, _picture(result))]

    def write(self, folder: Path) -> list[dict[str, Any]]:
        """Write the pictures, the worst first; their captions with the names of the files.

        Raises:
            OSError: when they cannot be written.
        """
        captions = []
        worst_first = sorted(self._kept, key=lambda each: each.score, reverse=True)
        for number, moment in enumerate(worst_first, 1):
            name = f"moment_{number}.webp"
            (folder / name).write_bytes(moment.picture)
            captions.append({"picture": name, **moment.caption})
        return captions


def _picture(result: MatchResult) -> bytes:
    """Reference, current image and matches as WebP."""
    drawn = draw_pair(result)
    scale = min(1.0, _WIDTH / drawn.shape[1])
    if scale < 1:
        drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".webp", drawn, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return coded.tobytes()
