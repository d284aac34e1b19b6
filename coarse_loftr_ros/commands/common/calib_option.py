"""The option ``--calib``: cameras that the user gives instead of the recording's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.commands.common.errors import UserError, as_user_error
from coarse_loftr_ros.images.frame import Intrinsics
from coarse_loftr_ros.recordings.cameras import CameraRig, cameras_of_projections
from coarse_loftr_ros.recordings.errors import NoImageError, RecordingError
from coarse_loftr_ros.recordings.kitti import read_projections
from coarse_loftr_ros.recordings.source import Source

__all__ = ["calib_usage", "own_calibrations", "parse_cameras"]


def parse_cameras(text: str, streams: int) -> CameraRig:
    """Cameras of ``--calib``: a KITTI calibration file, or numbers.

    Args:
        text: a file with as many matrices as there are cameras; ``FILE:P2`` or ``FILE:P2,P3``,
            which chooses them; ``FX,FY,CX,CY`` in px, or these and the baseline in metres.
        streams: cameras that are wanted.

    Raises:
        UserError: when it is none of these.
    """
    name, _, chosen = text.rpartition(":")
    for path, names in ((Path(text), None), (Path(name), chosen.split(","))):
        if path.is_file():
            with as_user_error(RecordingError):
                return _of_file(path, names, streams)
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (4, 5) or not np.isfinite(numbers).all() or min(numbers[:2]) <= 0:
        raise UserError(
            f"--calib is '{text}'; it must be a file that exists, or FX,FY,CX,CY in px, with "
            "positive FX and FY, and for stereo the baseline in metres as fifth"
        )
    camera = Intrinsics(*numbers[:4])
    return CameraRig(camera) if len(numbers) == 4 else CameraRig(camera, camera, numbers[4])


def calib_usage(streams: int) -> str:
    """How ``--calib`` is given for that many cameras."""
    numbers, chosen = ("FX,FY,CX,CY,BASELINE", "P0,P1") if streams > 1 else ("FX,FY,CX,CY", "P0")
    return f"--calib {numbers}, or --calib FILE:{chosen}"


def own_calibrations(source: Source, instead: str = "") -> list[Calibration]:
    """The cameras that come with a recording; none where it has none.

    Args:
        source: the recording.
        instead: what the user can give instead of them, where the command takes it.

    Raises:
        UserError: when it describes cameras that cannot be used.
    """
    try:
        return source.calibrations()
    except NoImageError as error:
        raise UserError(str(error)) from error
    except RecordingError as error:
        raise UserError(f"{error} ({instead})" if instead else str(error)) from error


def _of_file(path: Path, names: list[str] | None, streams: int) -> CameraRig:
    found = {f"P{number}": matrix for number, matrix in read_projections(path).items()}
    listed = ", ".join(found)
    if names is None and len(found) != streams:
        wanted = ",".join(list(found)[:streams])
        raise UserError(
            f"--calib: {path} has {listed}, and {streams} cameras are wanted: choose them, as "
            f"--calib {path}:{wanted}"
        )
    names = list(found) if names is None else names
    for name in names:
        if name not in found:
            raise UserError(f"--calib: {path} has {listed}, and no {name}")
    if len(names) != streams:
        raise UserError(f"--calib chooses {len(names)} cameras, and {streams} are wanted")
    return cameras_of_projections([found[name] for name in names])
