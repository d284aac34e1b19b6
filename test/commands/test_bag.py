"""`coarse-loftr bag from-images`: recordings that hold what the folder holds."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from coarse_loftr_ros.cameras.calibration import rows_correspond
from coarse_loftr_ros.cameras.camera_info import calibration_of
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.cameras.rectification import Rectification
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.rendered.flight import Flight
from coarse_loftr_ros.recordings.trajectories.files import read_trajectory

CAMERA_IN_BASE = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # columns: right, down, forward


def messages(path: Path, topic: str) -> list:
    with AnyReader([path]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(connections)]


def stamp(message) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


@pytest.fixture(scope="module")
def stereo_bag(run_tool, kitti_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "new" / "stereo.mcap"
    done = run_tool("bag", "from-images", kitti_folder, "-o", path)
    assert done.returncode == 0, done.stderr
    assert "/left/image: 10\n" in done.stdout
    return path


def test_images_and_cameras_are_recorded_under_the_topics_of_the_node(
    stereo_bag: Path, kitti_folder: Path, flight: Flight
) -> None:
    with BagReader(stereo_bag) as reader:
        assert [topic.name for topic in reader.image_topics] == ["/left/image", "/right/image"]
        infos = [reader.camera_info(topic) for topic in reader.image_topics]
    left, right = (calibration_of(info) for info in infos)
    assert rows_correspond(left, right)
    assert right.baseline == pytest.approx(2.0)
    assert left.camera == pytest.approx(flight.intrinsics.matrix().ravel().tolist())
    for eye, folder in (("left", "image_0"), ("right", "image_1")):
        images = messages(stereo_bag, f"/{eye}/image")
        infos = messages(stereo_bag, f"/{eye}/camera_info")
        # The folder's times begin at zero, which ROS takes for no time at all.
        assert [stamp(image) for image in images] == flight.stamps
        assert [stamp(info) for info in infos] == flight.stamps
        assert {m.header.frame_id for m in images} == {m.header.frame_id for m in infos}
        file = cv2.imread(str(kitti_folder / folder / "000003.png"), cv2.IMREAD_GRAYSCALE)
        assert (images[3].data.reshape(256, 320) == file).all()


def test_the_truth_is_base_link_in_odom(stereo_bag: Path, kitti_folder: Path) -> None:
    truth = messages(stereo_bag, "/ground_truth/pose")
    path = read_trajectory(kitti_folder / "poses.txt", list(range(10))).from_first()
    for message, camera in zip(truth, path.poses, strict=True):
        assert message.header.frame_id == "odom"
        p, q = message.pose.position, message.pose.orientation
        base = Pose.from_quaternion((q.x, q.y, q.z, q.w), np.array([p.x, p.y, p.z]))
        assert np.allclose(base.translation, CAMERA_IN_BASE @ camera.translation, atol=1e-9)
        turned = CAMERA_IN_BASE @ camera.rotation @ CAMERA_IN_BASE.T
        assert np.allclose(base.rotation, turned, atol=1e-7)


def test_odometry_finds_the_same_path_in_the_recording_and_in_the_folder(
    run_tool, stereo_bag: Path, kitti_folder: Path, tmp_path: Path
) -> None:
    eyes = ("--left", "/left/image", "--right", "/right/image")
    paths = []
    for name, source, options in (("folder", kitti_folder, ()), ("bag", stereo_bag, eyes)):
        done = run_tool("odometry", source, *options, "-o", tmp_path / name, "--threads", "1")
        assert done.returncode == 0, done.stderr
        paths.append(read_trajectory(tmp_path / f"{name}.tum"))
    # The calibration passed through text and messages, the images through nothing.
    assert np.allclose(paths[0].positions, paths[1].positions, atol=1e-6)


def test_raw_images_are_rectified_as_camera_info_says(
    run_tool, stereo_bag: Path, tmp_path: Path
) -> None:
    """A recording whose camera_info has a lens, followed raw and rectified beforehand."""
    lens = np.array([-0.15, 0.02, 0.0, 0.0, 0.0])
    raw, straight = tmp_path / "raw.mcap", tmp_path / "straight.mcap"
    images = messages(stereo_bag, "/left/image")
    infos = messages(stereo_bag, "/left/camera_info")
    through = Rectification(calibration_of(replace(infos[0], d=lens)))
    with BagWriter(raw) as first, BagWriter(straight) as second:
        for image, info in zip(images, infos, strict=True):
            first.write("/image", stamp(image), image)
            first.write("/camera_info", stamp(image), replace(info, d=lens))
            grey = through.image(image.data.reshape(image.height, image.width))
            second.write("/image", stamp(image), replace(image, data=grey.reshape(-1)))
            second.write("/camera_info", stamp(image), info)
    paths = []
    for bag, option in ((raw, ("--rectify",)), (straight, ()), (raw, ())):
        out = tmp_path / f"path{len(paths)}"
        done = run_tool("odometry", bag, "-o", out, "--mode", "planar", "--altitude", "20",
                        "--threads", "1", *option)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("need --rectify" in done.stderr) == (len(paths) == 2)
        paths.append(read_trajectory(out.with_suffix(".tum")).positions)
    # With --rectify no match lies on the border that the lens did not see.
    assert np.abs(paths[0] - paths[1]).max() < 0.3 * np.abs(paths[0] - paths[2]).max()


def test_a_plain_folder_becomes_one_topic_without_a_camera(
    run_tool, kitti_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "plain"
    done = run_tool("bag", "from-images", kitti_folder / "image_0", "-o", out, "--rate", "5",
                    "--namespace", "front")  # fmt: skip
    assert done.returncode == 0, done.stderr
    with AnyReader([out]) as reader:
        assert [connection.topic for connection in reader.connections] == ["/front/image"]
    stamps = [stamp(message) for message in messages(out, "/front/image")]
    assert set(np.diff(stamps)) == {200_000_000}


def test_what_is_no_folder_of_images_is_refused_and_nothing_is_left(
    refusal, kitti_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "short.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    (tmp_path / "late").mkdir()
    shutil.copy(kitti_folder / "image_0" / "000000.png", tmp_path / "late" / "a.png")
    (tmp_path / "late" / "times.txt").write_text("0.0\n0.1\n")
    out = tmp_path / "out.mcap"
    for arguments, words in (
        ((tmp_path / "absent",), "is not a folder"),
        ((tmp_path / "empty",), "has no images"),
        ((tmp_path / "late",), "times.txt has 2 times, and there are 1 images"),
        ((kitti_folder, "--rate", "0"), "--rate is 0.0"),
        ((kitti_folder, "--namespace", "a b"), "--namespace is 'a b'"),
        ((kitti_folder, "--calib", "500,500,160,128"), "baseline"),
        ((kitti_folder, "--truth", tmp_path / "short.txt"), "1 poses without times"),
    ):
        assert words in refusal("bag", "from-images", *arguments, "-o", out), arguments
        assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []
