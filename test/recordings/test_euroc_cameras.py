"""Cameras of EuRoC: the raw eyes of its data set are rectified as others have rectified them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings.conftest import write_images

from coarse_loftr_ros.cameras.calibration import rows_correspond
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.euroc import calibrations_of
from coarse_loftr_ros.recordings.opening import open_source

SENSOR = """\
# General sensor definitions.
sensor_type: camera
comment: VI-Sensor (MT9M034)
T_BS:
  cols: 4
  rows: 4
  data: {pose}
rate_hz: 20
resolution: [752, 480]
camera_model: pinhole
intrinsics: {intrinsics} #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: {distortion}
"""
# Of the sequences in the machine hall.
LEFT = {
    "pose": "[0.0148655429818, -0.999880929698, 0.00414029679422, -0.0216401454975,\n"
    "0.999557249008, 0.0149672133247, 0.025715529948, -0.064676986768,\n"
    "-0.0257744366974, 0.00375618835797, 0.999660727178, 0.00981073058949,\n"
    "0.0, 0.0, 0.0, 1.0]",
    "intrinsics": "[458.654, 457.296, 367.215, 248.375]",
    "distortion": "[-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]",
}
RIGHT = {
    "pose": "[0.0125552670891, -0.999755099723, 0.0182237714554, -0.0198435579556,\n"
    "0.999598781151, 0.0130119051815, 0.0251588363115, 0.0453689425024,\n"
    "-0.0253898008918, 0.0179005838253, 0.999517347078, 0.00786212447038,\n"
    "0.0, 0.0, 0.0, 1.0]",
    "intrinsics": "[457.587, 456.134, 379.999, 255.238]",
    "distortion": "[-0.28368365, 0.07451284, -0.00010473, -3.55590700e-05]",
}


def write(folder: Path, values: dict, old: str = "", new: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "sensor.yaml"
    path.write_text(SENSOR.format(**values).replace(old, new))
    return path


def test_the_eyes_become_a_stereo_pair(tmp_path: Path) -> None:
    files = [write(tmp_path / "cam0", LEFT), write(tmp_path / "cam1", RIGHT)]
    left, right = calibrations_of(files)
    assert rows_correspond(left, right)
    assert (left.width, left.height, left.model) == (752, 480, "plumb_bob")
    assert right.baseline == pytest.approx(0.11007, abs=1e-4)
    assert 420 < left.projection[0] < 450
    assert all(Rectification(each).mask.mean() > 230 for each in (left, right))


def test_the_rows_of_a_point_that_both_see_are_equal(tmp_path: Path) -> None:
    files = [write(tmp_path / "cam0", LEFT), write(tmp_path / "cam1", RIGHT)]
    calibrations = calibrations_of(files)
    body = np.array([[0.2, 0.1, 4.0], [-0.8, 0.5, 6.0], [0.9, -0.4, 3.0]])  # x of it is up
    rectified = []
    for values, calibration in zip((LEFT, RIGHT), calibrations, strict=True):
        pose = np.array(json.loads(values["pose"])).reshape(4, 4)
        seen = (np.linalg.inv(pose) @ np.column_stack([body, np.ones(3)]).T)[:3].T
        matrix = np.reshape(calibration.camera, (3, 3))
        distortion = np.array(calibration.distortion)
        pixels, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), matrix, distortion)
        rectified.append(
            cv2.undistortPoints(
                pixels, matrix, distortion, R=np.reshape(calibration.rotation, (3, 3)),
                P=np.reshape(calibration.projection, (3, 4)),
            )[:, 0]
        )  # fmt: skip
    left, right = rectified
    assert np.abs(left[:, 1] - right[:, 1]).max() < 0.01
    depth = calibrations[0].projection[0] * calibrations[1].baseline / (left - right)[:, 0]
    assert np.allclose(depth, body[:, 2], rtol=0.1)


def test_one_eye_keeps_its_focal_length(tmp_path: Path) -> None:
    (camera,) = calibrations_of([write(tmp_path, LEFT)])
    assert camera.projection[:3] == camera.camera[:3]
    assert any(camera.distortion)


def test_a_source_of_such_folders_says_that_its_images_are_raw(tmp_path: Path) -> None:
    for eye, values in (("cam0", LEFT), ("cam1", RIGHT)):
        write(tmp_path / "mav0" / eye, values, "[752, 480]", "[24, 16]")
        write_images(tmp_path / "mav0" / eye / "data", ["1403636579763555584.png"])
    with open_source(tmp_path, ["mav0/cam0", "mav0/cam1"], 20.0) as source:
        assert source.raw and source.timed
        assert [each.width for each in source.calibrations()] == [24, 24]
        assert all(image.calibration is not None for image in source.images())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("pinhole", "omni", "camera_model is omni; it must be pinhole"),
        ("radial-tangential", "fov", "distortion_model is fov; it must be one of radial"),
        ("[752, 480]", "[752]", "resolution must be 2 finite numbers"),
        ("458.654", ".nan", "intrinsics must be 4 finite numbers"),
        ("458.654", "-1", "must be positive"),
        ("0.999557249008", "0.5", "T_BS is no pose"),
        ("[458.654", "{458.654", "is no YAML file"),
    ],
)
def test_what_describes_no_camera_is_refused_by_its_name(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    with pytest.raises(RecordingError, match=r"sensor\.yaml") as refused:
        calibrations_of([write(tmp_path, LEFT, old, new)])
    assert words in str(refused.value)


def test_eyes_that_changed_places_are_named(tmp_path: Path) -> None:
    files = [write(tmp_path / "cam0", RIGHT), write(tmp_path / "cam1", LEFT)]
    with pytest.raises(RecordingError, match="is not to the right of"):
        calibrations_of(files)
