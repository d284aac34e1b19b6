"""The matcher's parameters that are thresholds of its steps, rows of ``parameter_table``."""

from __future__ import annotations

from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.homography_estimate import HomographySettings
from coarse_loftr_ros.matching.reference_policy import KeyframeRule
from coarse_loftr_ros.node.common.parameter import Parameter

__all__ = ["THRESHOLDS"]

_MATCH = MatchSettings()
_REFINEMENT = _MATCH.refinement
_HOMOGRAPHY = HomographySettings()
_KEYFRAME = KeyframeRule()

THRESHOLDS = (
    Parameter(
        "search.views",
        _MATCH.search.views,
        "Viewpoints tried for an image that does not match, those first that keypoints (SIFT) of "
        "both images say are likeliest; each costs about half a match, the keypoints of an image "
        "about three. 0 tries none, and finds no keypoints.",
        low=0,
        high=11,
    ),
    Parameter(
        "search.second_pass",
        _MATCH.search.second_pass,
        "Change of view from which an image is matched a second time as the reference saw it: 0.1 "
        "is a zoom by 1.1 or a rotation by 6 degrees. 10 never does.",
        low=0.0,
        high=10.0,
    ),
    Parameter(
        "refinement.enabled",
        _REFINEMENT.enabled,
        "Align matches on the images to a fraction of a pixel; without it they are good to about "
        "a pixel and cost less.",
    ),
    Parameter(
        "refinement.points_per_cell",
        _REFINEMENT.points_per_cell,
        "Points aligned in each matched cell (16 px) of the network's image; the second one "
        "doubles the matches and costs about 1.5 ms.",
        low=1,
        high=2,
    ),
    Parameter(
        "homography.threshold_px",
        _HOMOGRAPHY.threshold_px,
        "Largest transfer error of an inlier, in pixels of the network's image.",
        unit="px",
        low=0.1,
        high=50.0,
    ),
    Parameter(
        "homography.min_inliers",
        _HOMOGRAPHY.min_inliers,
        "Inliers in fewer cells of the network's image mean LOST.",
        low=4,
        high=100000,
    ),
    Parameter(
        "homography.good_inliers",
        _HOMOGRAPHY.good_inliers,
        "Inliers in fewer cells mean DEGRADED.",
        low=0,
        high=100000,
    ),
    Parameter(
        "homography.good_inlier_ratio",
        _HOMOGRAPHY.good_inlier_ratio,
        "A smaller share of inliers among the matches means DEGRADED.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "homography.good_coverage",
        _HOMOGRAPHY.good_coverage,
        "Inliers on a smaller share of the image mean DEGRADED.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "homography.good_confidence",
        _HOMOGRAPHY.good_confidence,
        "A smaller median confidence of the inliers means DEGRADED where the image was matched as "
        "seen from another viewpoint: matches of a texture that repeats itself may agree by "
        "chance.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "keyframe.min_inliers",
        _KEYFRAME.min_inliers,
        "Inliers in fewer cells replace the keyframe.",
        low=0,
        high=100000,
    ),
    Parameter(
        "keyframe.min_coverage",
        _KEYFRAME.min_coverage,
        "Inliers on a smaller share of the keyframe replace it.",
        low=0.0,
        high=1.0,
    ),
    Parameter(
        "keyframe.max_age",
        _KEYFRAME.max_age,
        "Images after which the keyframe is replaced in any case; 0 means never.",
        unit="images",
        low=0,
        high=1000000,
    ),
    Parameter(
        "keyframe.lost_patience",
        _KEYFRAME.lost_patience,
        "LOST images in a row before the keyframe is given up.",
        unit="images",
        low=1,
        high=1000,
    ),
)
"""Of the search for other views, the refinement, the homography and the keyframe."""
