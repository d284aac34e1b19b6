"""Match results as messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from coarse_loftr_ros.matching.result import MatchResult, StereoMatch
from coarse_loftr_ros.messages.factory import MessageFactory
from coarse_loftr_ros.messages.names import CORRESPONDENCES, HOMOGRAPHY

__all__ = ["MatchMessages"]


class MatchMessages(MessageFactory):
    """Makes what the matcher node publishes."""

    def correspondences(self, result: MatchResult | StereoMatch) -> Any:
        """The matches of a result as ``coarse_loftr_msgs/Correspondences``."""
        reference, current, matches = result.reference, result.current, result.correspondences
        return self.build(
            self.class_of(CORRESPONDENCES),
            {
                "reference_points": np.ascontiguousarray(matches.reference_points, np.float32),
                "current_points": np.ascontiguousarray(matches.current_points, np.float32),
                "confidence": np.ascontiguousarray(matches.confidence, np.float32),
                "inlier": np.ascontiguousarray(matches.inlier, np.uint8),
                "track_id": np.ascontiguousarray(matches.track_id, np.uint32),
            },
            header=self.header_of(current),
            reference_header=self.header_of(reference),
            width=current.width,
            height=current.height,
            reference_width=reference.width,
            reference_height=reference.height,
        )

    def homography(self, result: MatchResult) -> Any:
        """The homography of a result as ``coarse_loftr_msgs/HomographyStamped``."""
        reference, current, homography = result.reference, result.current, result.homography
        return self.class_of(HOMOGRAPHY)(
            header=self.header_of(current),
            reference_header=self.header_of(reference),
            width=current.width,
            height=current.height,
            reference_width=reference.width,
            reference_height=reference.height,
            matrix=np.ascontiguousarray(homography.matrix, np.float64).reshape(9),
            match_count=homography.match_count,
            inlier_count=homography.inlier_count,
            inlier_ratio=float(homography.inlier_ratio),
            rms_px=float(homography.rms_px),
            coverage=float(homography.coverage),
            status=int(homography.status),
            reason=homography.reason,
        )
