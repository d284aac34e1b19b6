"""The odometry of a mode, for the cameras of a recording."""

from __future__ import annotations

from dataclasses import replace

from coarse_loftr_ros.odometry.estimate import Odometry
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import (
    MonoSettings,
    PlanarSettings,
    ScaleSource,
    StereoSettings,
)
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.recordings.cameras import CameraRig

__all__ = ["make_mode"]


def make_mode(
    mode: str,
    cameras: CameraRig,
    *,
    window: int = 0,
    camera_height_m: float | None = None,
    altitude_m: float | None = None,
    down: tuple[float, float, float] | None = None,
) -> Odometry:
    """The odometry of a mode.

    Args:
        mode: ``stereo``, ``mono`` or ``planar``.
        cameras: rectified.
        window: stereo: images that are adjusted together; 0 for none.
        camera_height_m: mono: of the camera above the ground, which gives the scale.
        altitude_m: planar: of the camera above the plane at the first image.
        down: where down is in the optical frame; without it a camera of mode mono looks ahead, and
            one of mode planar straight down.

    Raises:
        ValueError: when cameras or settings do not serve.
    """
    if mode == "stereo":
        return StereoOdometry(cameras.rig(), StereoSettings(window=window))
    if mode == "planar":
        planar = PlanarSettings(altitude_m=altitude_m)
        return PlanarOdometry(cameras.left, replace(planar, normal=down or planar.normal))
    scale = ScaleSource.UNIT if camera_height_m is None else ScaleSource.GROUND_PLANE
    mono = MonoSettings(scale=scale, camera_height_m=camera_height_m)
    return MonoOdometry(cameras.left, replace(mono, down=down or mono.down))
