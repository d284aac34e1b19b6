"""All kinds of ``coarse-loftr evaluate``, by name."""

from __future__ import annotations

from coarse_loftr_lab.commands.homography_evaluations import HOMOGRAPHY_EVALUATIONS
from coarse_loftr_lab.commands.motion_evaluations import MOTION_EVALUATIONS

__all__ = ["EVALUATIONS"]

EVALUATIONS = {**HOMOGRAPHY_EVALUATIONS, **MOTION_EVALUATIONS}
