"""The recordings on which odometry is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from coarse_loftr_lab.evaluation.path_comparison import Drive
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.odometry.mono import MonoOdometry
from coarse_loftr_ros.odometry.planar import PlanarOdometry
from coarse_loftr_ros.odometry.settings import PlanarSettings
from coarse_loftr_ros.odometry.stereo import StereoOdometry
from coarse_loftr_ros.recordings.cameras import CameraRig, cameras_of_calibrations
from coarse_loftr_ros.recordings.folder import find_stereo_folders
from coarse_loftr_ros.recordings.frame_sets import FrameSet, FrameSets
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.opening import open_source
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.rendered.scene import draw_landscape
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory

__all__ = ["METRES_PER_PIXEL", "drives_below", "fly_over"]

METRES_PER_PIXEL = 0.15  # of the drawn landscape
_RATE_HZ = 10.0  # KITTI's
# The depth camera of Open3D's recordings (its PinholeCameraIntrinsicParameters).
_OPEN3D_CAMERA = CameraRig(Intrinsics(525.0, 525.0, 319.5, 239.5))


def drives_below(folder: Path) -> list[Drive]:
    """Drives of a sequence, or of each sequence in a folder, by name.

    A sequence has ``image_0`` and either KITTI's files (``calib.txt``, ``poses.txt`` and with
    ``image_1`` a stereo pair) or Open3D's (``trajectory*.log``). Odometry is run in stereo
    where it has two cameras, and in mono.

    Raises:
        UserError: when there is none.
    """
    found = [
        path for path in (folder, *sorted(folder.glob("*"))) if find_stereo_folders(path) != [None]
    ]
    drives = [drive for path in found for drive in _drives_of(path)]
    if not drives:
        raise UserError(
            f"{folder} has no sequence with image_0/, and calib.txt and poses.txt or "
            "trajectory*.log"
        )
    return drives


def fly_over(frames: int = 200, width: int = 640, height: int = 480) -> Drive:
    """The flight of the demonstration over its landscape, whose path is known exactly."""
    flight = Flight(draw_landscape(), seconds=frames / 15.0, rate=15.0, width=width, height=height)

    def frame_sets() -> Iterator[FrameSet]:
        return map(FrameSet, flight.frames())

    def truth(stamps: list[int]) -> Trajectory:
        path = Trajectory.of(stamps, [flight.pose(stamp) for stamp in stamps])
        return path.scaled(METRES_PER_PIXEL)

    altitude = -flight.pose(flight.stamps[0]).translation[2] * METRES_PER_PIXEL
    odometry = partial(PlanarOdometry, flight.intrinsics, PlanarSettings(altitude_m=altitude))
    return Drive("fly-over", "planar", len(flight), frame_sets, odometry, truth)


def _drives_of(path: Path) -> list[Drive]:
    streams = find_stereo_folders(path)
    logs = sorted(path.glob("trajectory*.log"))
    with open_source(path, streams[:1], _RATE_HZ) as source:
        if source.raw:
            raise UserError(f"{path}: the images are raw; figures are of rectified ones")
        calibrations, count = source.calibrations(), source.count
    file = logs[0] if not calibrations and logs else path / "poses.txt"
    if not file.is_file() or not (calibrations or logs):
        return []
    cameras = cameras_of_calibrations(calibrations) if calibrations else _OPEN3D_CAMERA
    truth = partial(read_trajectory, file)

    def drive(mode: str, used: Sequence[str | None], odometry: partial) -> Drive:
        frame_sets = partial(_frame_sets, path, list(used), cameras)
        return Drive(path.name, mode, count, frame_sets, odometry, truth)

    mono = drive("mono", streams[:1], partial(MonoOdometry, cameras.left))
    if not calibrations or len(streams) < 2:
        return [mono]
    with open_source(path, streams, _RATE_HZ) as source:
        cameras = cameras_of_calibrations(source.calibrations())
    rig = cameras.rig()
    return [drive("stereo", streams, partial(StereoOdometry, rig)), mono]


def _frame_sets(path: Path, streams: list[str | None], cameras: CameraRig) -> Iterator[FrameSet]:
    report = InputReport(strict=True)  # figures are of all images, or of none
    with open_source(path, streams, _RATE_HZ, report) as source:
        tolerance = 0 if len(streams) > 1 else None
        for _, frames in FrameSets(source.images(), tolerance, report):
            yield frames.seen_by(cameras.left, cameras.right)
