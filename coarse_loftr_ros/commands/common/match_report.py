"""The quality of a match of two images, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from coarse_loftr_ros.commands.common.errors import writing
from coarse_loftr_ros.matching.result import MatchResult, Status

__all__ = ["match_quality", "write_json"]


def match_quality(result: MatchResult) -> dict[str, Any]:
    """Sizes, homography and its quality in plain values.

    JSON has no infinity, so an absent rms is ``None``, and so is an absent homography.
    """
    homography = result.homography
    lost = homography.status == Status.LOST
    return {
        "reference_size": [result.reference.width, result.reference.height],
        "current_size": [result.current.width, result.current.height],
        "status": homography.status.name,
        "reason": homography.reason,
        "homography": None if lost else homography.matrix.tolist(),
        "match_count": homography.match_count,
        "inlier_count": homography.inlier_count,
        "inlier_ratio": round(homography.inlier_ratio, 4),
        "rms_px": None if lost else round(homography.rms_px, 4),
        "coverage": round(homography.coverage, 4),
        "timings_ms": {name: round(value, 3) for name, value in result.timings_ms.items()},
    }


def write_json(report: dict[str, Any], path: Path | None) -> None:
    """Write one line of JSON to a file, whose folder is made, or to stdout.

    Raises:
        UserError: when the file cannot be written.
    """
    text = json.dumps(report) + "\n"
    if path is None:
        sys.stdout.write(text)
        return
    with writing(path) as new:
        new.write_text(text)
