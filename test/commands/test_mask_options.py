"""`--mask-detector` leaves out in recordings what the mask node leaves out in topics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from detectors import bright_detector
from rosbags.highlevel import AnyReader
from scenes import texture, view

from coarse_loftr_ros.commands import cli


@pytest.fixture
def detector(tmp_path) -> Path:
    return bright_detector(tmp_path, (320, 256))


@pytest.fixture
def folder(tmp_path, flight) -> Path:
    """Two images of a dim landscape before which a bright square stands still."""
    images = tmp_path / "images"
    images.mkdir()
    for number, frame in enumerate(list(flight.frames())[:2]):
        picture = frame.image // 4
        picture[96:160, 128:224] = 160 + frame.image[96:160, 128:224] // 3
        cv2.imwrite(str(images / f"{number}.png"), picture)
    return images


def matched(folder: Path, output: Path, *options: object) -> np.ndarray:
    """The points of the last image that is matched."""
    arguments = ("replay", folder, "-o", output, "--threads", "1", *options)
    assert cli.main([str(each) for each in arguments]) == 0
    with AnyReader([output]) as reader:
        *_, (connection, _, raw) = (
            each for each in reader.messages() if each[0].topic == "/matcher/correspondences"
        )
        message = reader.deserialize(raw, connection.msgtype)
    return np.reshape(message.current_points, (-1, 2))


def within(points: np.ndarray) -> int:
    return int(((points > (120, 88)) & (points < (231, 167))).all(1).sum())


def test_replay_leaves_out_what_the_detector_finds(folder, detector, tmp_path):
    every = matched(folder, tmp_path / "all.mcap")
    assert within(every) > 5
    masked = matched(folder, tmp_path / "masked.mcap", "--mask-detector", detector)
    assert len(masked) > 50
    assert within(masked) == 0
    dark = ("--mask-detector", detector, "--mask-classes", "dark")
    np.testing.assert_array_equal(matched(folder, tmp_path / "dark.mcap", *dark), every)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--mask-detector", "/gone.yaml"), "detector /gone.yaml cannot be read: No such file"),
        (("--mask-classes", "lamp"), "--mask-classes is what --mask-detector looks for; give both"),
        (("--mask-detector", "IT", "--mask-classes", "cat"), "class 'cat' is none of detector"),
    ],
)
def test_what_cannot_be_is_refused_in_words(refusal, folder, detector, options, sentence):
    options = [detector if each == "IT" else each for each in options]
    assert sentence in refusal("replay", folder, *options)


@pytest.mark.parametrize("option", ["--mask-detector", "--motion-mask"])
def test_odometry_takes_masks_with_its_own_matcher_alone(refusal, kitti_folder, detector, option):
    given = (option, detector) if option == "--mask-detector" else (option,)
    said = refusal("odometry", kitti_folder, *given, "--matcher", "sift")
    assert f"{option} is for --matcher own, and it is sift" in said


def test_replay_leaves_out_what_moves_by_itself(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        picture = view(texture(), np.eye(3), 320, 256, seed=number)
        left = 60 + 12 * number
        picture[60:180, left : left + 120] = texture(seed=7)[:120, :120]
        cv2.imwrite(str(images / f"{number}.png"), picture)
    plain, masked = (
        matched(images, tmp_path / f"{name}.mcap", "--pairing", "keyframe", *options)
        for name, options in (("plain", ()), ("masked", ["--motion-mask"]))
    )
    on_square = [
        int(((each > (left + 8, 68)) & (each < (left + 112, 172))).all(1).sum())
        for each in (plain, masked)
    ]
    assert on_square[0] > 5
    assert on_square[1] == 0
    assert len(masked) > 50


def test_odometry_runs_with_masks(kitti_folder, detector, tmp_path):
    given = (
        "--mask-detector",
        detector,
        "--motion-mask",
        "--threads",
        "1",
        "-o",
        tmp_path / "path",
    )
    assert cli.main(["odometry", str(kitti_folder), *map(str, given)]) == 0
    assert (tmp_path / "path.tum").is_file()
