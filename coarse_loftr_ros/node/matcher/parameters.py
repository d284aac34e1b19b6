"""What the values of the parameters mean to the core."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from coarse_loftr_ros.backends.base import EngineFolder, ModelFiles
from coarse_loftr_ros.matching.frame_matching import MatchSettings
from coarse_loftr_ros.matching.homography_estimate import HomographySettings
from coarse_loftr_ros.matching.pipeline_settings import PipelineSettings
from coarse_loftr_ros.matching.reference_policy import (
    Consecutive,
    Keyframe,
    KeyframeRule,
    ReferencePolicy,
)
from coarse_loftr_ros.matching.refinement import RefinementSettings
from coarse_loftr_ros.matching.search import SearchSettings
from coarse_loftr_ros.node.common.parameter import ParameterError, Value, check_values, group
from coarse_loftr_ros.node.matcher.parameter_table import PARAMETERS

__all__ = ["check", "match_settings", "pipeline_settings", "reference_policy"]


def check(values: Mapping[str, Value]) -> None:
    """Refuse values that the table or the core does not allow.

    Args:
        values: of all parameters.

    Raises:
        ParameterError: naming the parameter, the value and what is allowed.
    """
    check_values(PARAMETERS, values)
    try:
        match_settings(values)
        reference_policy(values)
    except ParameterError:
        raise
    except ValueError as error:
        raise ParameterError(f"parameters do not fit together: {error}") from error


def match_settings(values: Mapping[str, Value]) -> MatchSettings:
    """The values that may change between two frames."""
    return MatchSettings(
        confidence_threshold=values["confidence_threshold"],
        max_matches=values["max_matches"],
        motion_mask=values["motion_mask"],
        row_tolerance_px=values["stereo.row_tolerance"],
        search=SearchSettings(**group(values, "search")),
        refinement=RefinementSettings(**group(values, "refinement")),
        homography=HomographySettings(**group(values, "homography")),
    )


def reference_policy(values: Mapping[str, Value]) -> ReferencePolicy:
    """Which frame becomes the reference."""
    if values["pairing"] == "consecutive":
        return Consecutive()
    return Keyframe(KeyframeRule(**group(values, "keyframe")))


def pipeline_settings(values: Mapping[str, Value]) -> PipelineSettings:
    """The values that are fixed when the pipeline is made.

    Raises:
        BackendError: when the model cannot be read.
        ParameterError: when a value does not fit the model.
    """
    model = ModelFiles.load(values["model"])
    try:
        return PipelineSettings(
            backend=values["backend"],
            runtime=values["runtime"],
            model=model,
            network_pixels=values["network_pixels"],
            detail_pixels=values["detail_pixels"],
            threads=values["threads"],
            precision=values["precision"],
            engines=EngineFolder(
                Path(values["engines"]).expanduser() if values["engines"] else None,
                round(values["engines_limit"] * 1e9),
            ),
        )
    except ValueError as error:
        raise ParameterError(f"parameters do not fit the model: {error}") from error
