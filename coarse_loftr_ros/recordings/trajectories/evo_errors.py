"""Absolute and relative trajectory errors by evo (Grupp, github.com/MichaelGrupp/evo)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from evo.core.trajectory import PosePath3D

__all__ = ["EvoErrors", "evo_errors"]


@dataclass(frozen=True)
class EvoErrors:
    """Errors as evo computes them.

    Attributes:
        ape_rmse_m: root mean square distance from the true positions, after alignment; ``None``
            when the paths cannot be aligned.
        ape_max_m: largest distance; likewise.
        rpe_translation_rmse_m: root mean square error of the translation from one image to the
            next.
        rpe_rotation_rmse_deg: likewise of the rotation.
        scale: factor of the alignment; 1 when the scale was not aligned.
        lacking: why there is no absolute error; empty when there is.
    """

    ape_rmse_m: float | None
    ape_max_m: float | None
    rpe_translation_rmse_m: float
    rpe_rotation_rmse_deg: float
    scale: float
    lacking: str = ""


def evo_errors(estimate: Trajectory, truth: Trajectory, align_scale: bool) -> EvoErrors:
    """Align an estimate with the truth (Umeyama 1991) and measure it.

    Args:
        estimate: as many poses as ``truth``, at least three.
        truth: taken at the same times.
        align_scale: whether the estimate's scale is aligned too.

    Raises:
        ModuleNotFoundError: when evo is not installed.
    """
    from evo.core import metrics
    from evo.core.geometry import GeometryException

    path, reference = _path(estimate), _path(truth)
    scale, lacking = 1.0, ""
    try:
        scale = path.align(reference, correct_scale=align_scale)[2]
    except GeometryException:
        lacking = "positions on a line leave open how paths are turned against each other"
    ape = metrics.APE(metrics.PoseRelation.translation_part)
    moved = metrics.RPE(metrics.PoseRelation.translation_part)
    turned = metrics.RPE(metrics.PoseRelation.rotation_angle_deg)
    for metric in (ape, moved, turned):
        metric.process_data((reference, path))
    return EvoErrors(
        ape_rmse_m=None if lacking else ape.get_statistic(metrics.StatisticsType.rmse),
        ape_max_m=None if lacking else ape.get_statistic(metrics.StatisticsType.max),
        rpe_translation_rmse_m=moved.get_statistic(metrics.StatisticsType.rmse),
        rpe_rotation_rmse_deg=turned.get_statistic(metrics.StatisticsType.rmse),
        scale=float(scale) if align_scale else 1.0,
        lacking=lacking,
    )


def _path(trajectory: Trajectory) -> PosePath3D:
    from evo.core.trajectory import PosePath3D

    return PosePath3D(poses_se3=[np.array(pose.matrix) for pose in trajectory.poses])
