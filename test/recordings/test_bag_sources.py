"""Recordings of ROS 2: whose stamps and cameras are not all good."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings.conftest import HEIGHT, WIDTH, grey, level, write_images

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.types import typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.errors import RecordingError, UnpairedError
from coarse_loftr_ros.recordings.frame_sets import FrameSets
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.one_camera import of_one_camera
from coarse_loftr_ros.recordings.opening import is_bag, open_source

T0, STEP = 1_700_000_000_000_000_000, 100_000_000
CAMERA = Intrinsics(20.0, 20.0, 11.5, 7.5)


def frame(number: int, late: int = 0) -> Frame:
    return Frame(grey(10 + number), T0 + number * STEP + late, "camera")


def record(path: Path, messages: list) -> Path:
    with BagWriter(path) as writer:
        for number, (topic, message) in enumerate(messages):
            writer.write(topic, T0 + number, message)
    return path


def with_infos(change, count: int = 6) -> list:
    """Images and the camera_info of each, changed by ``change(number, info)``."""
    messages = []
    for number in range(count):
        info = camera_info_message(frame(number), CAMERA)
        messages.append(("/camera_info", change(number, info)))
        messages.append(("/image", image_message(frame(number))))
    return messages


def test_the_first_good_camera_info_serves_from_the_begin(tmp_path: Path, read) -> None:
    path = record(
        tmp_path / "bag.mcap",
        with_infos(lambda k, info: replace(info, width=0, height=0) if k < 2 else info),
    )
    images, report = read(path)
    assert {image.calibration.projection[0] for image in images} == {20.0} and len(images) == 6
    assert report.rejected["camera_info"].names == ["/camera_info #0", "/camera_info #1"]
    with pytest.raises(RecordingError, match="camera_info #0: camera_info describes images of 0x0"):
        read(path, strict=True)


def test_of_cameras_that_can_be_rectified_the_first_is_taken(tmp_path: Path) -> None:
    """One whose D is no number is another camera; where all are like that, they are one."""
    broken = np.full(5, np.nan)
    for count, kept in ((1, [1, 2, 3, 4, 5]), (6, [0, 1, 2, 3, 4, 5])):
        messages = with_infos(lambda k, info, n=count: replace(info, d=broken) if k < n else info)
        report = InputReport()
        with open_source(record(tmp_path / f"{count}.mcap", messages), [None], 10.0, report) as bag:
            images = of_one_camera(bag.images(), bag.calibrations(), report, rectify=False)
            assert [image.number for image in images] == kept


def test_without_any_good_one_the_reason_is_told_to_who_asks(tmp_path: Path) -> None:
    path = record(tmp_path / "bag.mcap", with_infos(lambda k, info: replace(info, p=0 * info.p)))
    with open_source(path, [None], 10.0) as source:
        with pytest.raises(RecordingError, match=r"/image: .*calibrated"):
            source.calibrations()
        assert len(list(source.images())) == 6


def test_another_camera_in_mid_recording_is_noticed_and_left_out(tmp_path: Path) -> None:
    longer = Intrinsics(25.0, 25.0, 11.5, 7.5)

    def change(number: int, info):
        return info if number < 4 else camera_info_message(frame(number), longer)

    # The driver sends an image before its camera_info.
    messages = with_infos(change)
    messages[1::2], messages[::2] = messages[::2], messages[1::2]
    report = InputReport()
    with open_source(record(tmp_path / "bag.mcap", messages), [None], 10.0, report) as source:
        cameras = source.calibrations()
        images = list(of_one_camera(source.images(), cameras, report, rectify=False))
    assert [image.number for image in images] == [0, 1, 2, 3]
    rejected = report.rejected["camera"]
    assert rejected.names == ["/image #4", "/image #5"]
    assert "P[0] of camera_info is 25, and was 20" in rejected.example


def test_images_of_another_size_than_the_calibration_s_have_no_camera(tmp_path: Path) -> None:
    path = record(
        tmp_path / "bag.mcap",
        with_infos(lambda k, info: replace(info, width=2 * WIDTH, height=2 * HEIGHT)),
    )
    report = InputReport()
    with open_source(path, [None], 10.0, report) as source:
        cameras = source.calibrations()
        assert list(of_one_camera(source.images(), cameras, report, rectify=False)) == []
    example = report.rejected["camera"].example
    assert "image is 24x16, camera_info describes 48x32" in example and "binning" in example


def test_binning_says_how_images_were_reduced(tmp_path: Path) -> None:
    def change(number: int, info):
        whole = Frame(np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8), frame(number).stamp)
        info = camera_info_message(whole, Intrinsics(40.0, 40.0, 23.5, 15.5))
        return replace(info, binning_x=2, binning_y=2)

    report = InputReport()
    with open_source(
        record(tmp_path / "bag.mcap", with_infos(change)), [None], 10.0, report
    ) as source:
        cameras = source.calibrations()
        images = list(of_one_camera(source.images(), cameras, report, rectify=False))
    assert len(images) == 6 and images[0].calibration.projection[:3] == (20.0, 0.0, 11.5)


def test_a_wrong_stamp_costs_its_image_and_numbers_are_those_of_the_recording(
    tmp_path: Path, read
) -> None:
    late = {2: 10**17, 5: -3 * STEP}
    messages = [("/image", image_message(frame(k, late.get(k, 0)))) for k in range(9)]
    images, report = read(record(tmp_path / "bag.mcap", messages))
    assert [(image.number, level(image)) for image in images] == [
        (k, 10 + k) for k in range(9) if k not in late
    ]
    assert report.rejected["stamp"].names == ["/image #2", "/image #5"]


def test_a_tag_of_orientation_turns_nothing(tmp_path: Path, read) -> None:
    tag = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    code = cv2.imencode(".jpg", grey(50))[1].tobytes()
    data = code[:2] + b"\xff\xe1" + (len(tag) + 2).to_bytes(2, "big") + tag + code[2:]
    message = typestore().types["sensor_msgs/msg/CompressedImage"](
        header=image_message(frame(0)).header, format="jpeg", data=np.frombuffer(data, np.uint8)
    )
    images, report = read(record(tmp_path / "bag.mcap", [("/image/compressed", message)]))
    assert images[0].frame.image.shape == (HEIGHT, WIDTH)
    assert "taken as stored" in report.notices[0]


def test_eyes_that_are_never_of_one_time_are_refused_with_their_gap(tmp_path: Path) -> None:
    messages = []
    for number in range(8):
        messages.append(("/left", image_message(frame(number))))
        messages.append(("/right", image_message(frame(number, late=12_000_000))))
    report = InputReport()
    with open_source(
        record(tmp_path / "bag.mcap", messages), ["/left", "/right"], 10.0, report
    ) as source:
        frame_sets = FrameSets(source.images(), 5_000_000, report)
        with pytest.raises(UnpairedError, match="tolerance of 5 ms: they are 12 ms apart"):
            list(frame_sets)
        assert len(list(FrameSets(source.images(), 13_000_000, report))) == 8


def test_recordings_are_told_from_folders_of_images(tmp_path: Path, read) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "bag_0.mcap").touch()
    for name in ("bag", "a.mcap", "a.db3", "a.bag", "a.mcap.zstd", "a.db3.zst"):
        assert is_bag(tmp_path / name), name
    write_images(tmp_path / "drive" / "image_0", ["0.png"])
    (tmp_path / "drive" / "made_of_it.mcap").touch()
    for name in ("a.mp4", ".a.mcap", "drive", "drive/image_0"):
        assert not is_bag(tmp_path / name), name
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(RecordingError, match="ROS 1"):
        read(tmp_path / "old.bag")
    with pytest.raises(RecordingError, match="left and right are both /image"):
        read(
            record(tmp_path / "one.mcap", [("/image", image_message(frame(0)))]), "image", "/image"
        )
