"""Trajectories, and the text files of KITTI, EuRoC and TUM sequences."""

from __future__ import annotations

from pathlib import Path

import cv2

from coarse_loftr_ros.recordings.opening import choose_streams, open_source
from coarse_loftr_ros.recordings.trajectories.files import kitti_text, read_trajectory, tum_text
from damaged_files.content import STAMPS, frames, trajectory

__all__ = [
    "make_euroc",
    "make_kitti",
    "make_trajectories",
    "make_tum",
    "read_euroc",
    "read_kitti",
    "read_trajectory_file",
    "read_tum",
]


def make_trajectories(folder: Path) -> list[Path]:
    """A path in TUM's, KITTI's and Open3D's layout."""
    path = trajectory()
    log = "".join(
        f"{k} {k} {k + 1}\n" + "\n".join(" ".join(map(str, row)) for row in pose.matrix) + "\n"
        for k, pose in enumerate(path.poses)
    )
    texts = {"path.tum": tum_text(path), "path.kitti": kitti_text(path), "path.log": log}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def read_trajectory_file(path: Path) -> bool:
    """Read a path."""
    read_trajectory(path, list(STAMPS))
    return False


def _write_images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name, frame in zip(names, frames(), strict=False):
        cv2.imwrite(str(folder / name), frame.image)


def make_kitti(root: Path) -> list[Path]:
    """Two cameras, calibration and times."""
    for camera in ("image_0", "image_1"):
        _write_images(root / camera, ["000000.png", "000001.png"])
    calibration = "".join(f"P{k}: 60 0 31.5 {-6.0 * k} 0 60 23.5 0 0 0 1 0\n" for k in range(4))
    (root / "calib.txt").write_text(calibration + "Tr: 1 0 0 0 0 1 0 0 0 0 1 0\n")
    (root / "times.txt").write_text("0.000000e+00\n1.036224e-01\n")
    return [root / "calib.txt", root / "times.txt"]


_SENSOR = """\
sensor_type: camera
T_BS:
  cols: 4
  rows: 4
  data: [1.0, 0.0, 0.0, {x}, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
rate_hz: 20
resolution: [64, 48]
camera_model: pinhole
intrinsics: [60.0, 60.0, 31.5, 23.5]
distortion_model: {model}
distortion_coefficients: [-0.28, 0.07, 0.0002, 1.8e-05]
"""


def make_euroc(root: Path) -> list[Path]:
    """Images, calibrations and lists of two cameras."""
    files = []
    for k, model in enumerate(("radial-tangential", "radial-tangential")):
        folder = root / "mav0" / f"cam{k}"
        names = [f"{stamp}.png" for stamp in STAMPS[:2]]
        _write_images(folder / "data", names)
        rows = "".join(f"{name[:-4]},{name}\n" for name in names)
        (folder / "data.csv").write_text(f"#timestamp [ns],filename\n{rows}")
        (folder / "sensor.yaml").write_text(_SENSOR.format(x=0.11 * k, model=model))
        files += [folder / "sensor.yaml", folder / "data.csv"]
    return files


def make_tum(root: Path) -> list[Path]:
    """Images and their list."""
    names = [f"{stamp / 1e9:.6f}.png" for stamp in STAMPS[:2]]
    _write_images(root / "rgb", names)
    rows = "".join(f"{name[:-4]} rgb/{name}\n" for name in names)
    (root / "rgb.txt").write_text(f"# color images\n# timestamp filename\n{rows}")
    return [root / "rgb.txt"]


def _read_sequence(root: Path, both: bool) -> bool:
    streams = choose_streams(root, [None], both=both)
    with open_source(root, streams, 10.0) as source:
        source.calibrations()
        return sum(1 for _ in source.images()) < 2 * len(streams)


def read_kitti(path: Path) -> bool:
    """Read the sequence of a file in its folder."""
    return _read_sequence(path.parent, True)


def read_euroc(path: Path) -> bool:
    """Read the sequence of a file of a camera."""
    return _read_sequence(path.parents[2], True)


def read_tum(path: Path) -> bool:
    """Read the sequence of a list."""
    return _read_sequence(path.parent, False)
