"""What the whole files hold: frames, their stamps and camera, and a path."""

from __future__ import annotations

import numpy as np

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["CAMERA", "STAMPS", "frames", "trajectory"]

STAMPS = [1_700_000_000_000_000_000 + k * 100_000_000 for k in range(6)]
CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5)


def frames() -> list[Frame]:
    """Six small frames of a drawn landscape."""
    landscape = draw_landscape(100, 80, seed=2)
    return [
        Frame(np.ascontiguousarray(landscape[k : k + 48, 2 * k : 2 * k + 64]), stamp, "camera")
        for k, stamp in enumerate(STAMPS)
    ]


def trajectory() -> Trajectory:
    """The poses of the frames."""
    poses = [Pose.exp(np.array([0.1 * k, 0.0, 0.3 * k, 0.0, 0.02 * k, 0.0])) for k in range(6)]
    return Trajectory.of(STAMPS, poses)
