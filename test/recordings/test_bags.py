"""What is written into a recording is what is read from it, by us and by ROS."""

import resource
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from coarse_loftr_ros.cameras.camera_info import calibration_of, intrinsics_of
from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.result import Correspondences, Homography, MatchResult, Status
from coarse_loftr_ros.messages.names import CAMERA_INFO, CORRESPONDENCES, HOMOGRAPHY, POSE_STAMPED
from coarse_loftr_ros.recordings.bags.messages import (
    camera_info_message,
    correspondences_message,
    homography_message,
    image_message,
)
from coarse_loftr_ros.recordings.bags.odometry_messages import pose_message
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import BagError, typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter

NAMES = ("one.mcap", "one.db3", "folder")


def frame(stamp: int, width: int = 20, height: int = 10) -> Frame:
    rng = np.random.default_rng(stamp)
    return Frame(rng.integers(0, 256, (height, width), np.uint8), stamp, f"camera{stamp}")


def result() -> MatchResult:
    rng = np.random.default_rng(5)
    points = Correspondences(
        rng.uniform(0, 20, (7, 2)).astype(np.float32),
        rng.uniform(0, 20, (7, 2)).astype(np.float32),
        rng.uniform(0, 1, 7).astype(np.float32),
        np.arange(7, dtype=np.uint32) + 4_000_000_000,
        np.array([1, 0, 1, 1, 0, 1, 1], bool),
    )
    matrix = np.array([[1, 0.25, 3], [0, 2, -4], [0.001, 0, 1]])
    homography = Homography(matrix, 7, 5, 4, 0.5, 0.25, Status.DEGRADED, "5 inliers, fewer than 40")
    return MatchResult(frame(1_000_000_007), frame(2_500_000_009, 30, 12), points, homography)


@pytest.mark.parametrize("name", NAMES)
def test_images_come_back_in_recorded_order_with_their_stamps(name: str, tmp_path: Path) -> None:
    frames = [frame(1_700_000_000_000_000_000 + k) for k in (3, 1, 2)]
    with BagWriter(tmp_path / name) as writer:
        for recorded, each in enumerate(frames):
            writer.write("/image", 100 + recorded, image_message(each))
    with BagReader(tmp_path / name) as reader:
        messages = list(reader.messages([reader.choose()]))
    assert [m.stamp for m in messages] == [each.stamp for each in frames]
    assert [m.recorded for m in messages] == [100, 101, 102]
    for message, each in zip(messages, frames, strict=True):
        assert message.message.header.frame_id == each.frame_id
        pixels = message.message.data.reshape(message.message.height, message.message.step)
        np.testing.assert_array_equal(pixels, each.image)


@pytest.mark.parametrize("name", NAMES)
def test_results_come_back_field_by_field(name: str, tmp_path: Path) -> None:
    given = result()
    with BagWriter(tmp_path / name) as writer:
        writer.write("/matcher/correspondences", 5, correspondences_message(given))
        writer.write("/matcher/homography", 5, homography_message(given))
    with AnyReader([tmp_path / name]) as reader:
        read = {
            connection.msgtype: reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in reader.messages()
        }
    points, homography = read[CORRESPONDENCES], read[HOMOGRAPHY]
    for message in (points, homography):
        assert (message.header.stamp.sec, message.header.stamp.nanosec) == (2, 500_000_009)
        assert message.reference_header.frame_id == "camera1000000007"
        assert (message.width, message.height) == (30, 12)
        assert (message.reference_width, message.reference_height) == (20, 10)
    matches = given.correspondences
    np.testing.assert_array_equal(points.reference_points, matches.reference_points.reshape(-1))
    np.testing.assert_array_equal(points.current_points, matches.current_points.reshape(-1))
    np.testing.assert_array_equal(points.confidence, matches.confidence)
    np.testing.assert_array_equal(points.inlier, [1, 0, 1, 1, 0, 1, 1])
    np.testing.assert_array_equal(points.track_id, matches.track_id)
    np.testing.assert_array_equal(homography.matrix.reshape(3, 3), given.homography.matrix)
    assert (homography.match_count, homography.inlier_count) == (7, 5)
    assert homography.inlier_ratio == pytest.approx(5 / 7)
    assert (homography.status, homography.reason) == (1, "5 inliers, fewer than 40")


def test_ros_reads_the_written_messages() -> None:
    pytest.importorskip("rclpy", reason="no ROS in this environment")
    from rclpy.serialization import deserialize_message

    from coarse_loftr_msgs.msg import Correspondences as RosCorrespondences
    from coarse_loftr_msgs.msg import HomographyStamped

    given = result()
    raw = typestore().serialize_cdr(correspondences_message(given), CORRESPONDENCES)
    points = deserialize_message(bytes(raw), RosCorrespondences)
    assert list(points.track_id) == given.correspondences.track_id.tolist()
    assert points.header.frame_id == given.current.frame_id
    raw = typestore().serialize_cdr(homography_message(given), HOMOGRAPHY)
    homography = deserialize_message(bytes(raw), HomographyStamped)
    np.testing.assert_array_equal(homography.matrix, given.homography.matrix.reshape(-1))
    assert homography.status == HomographyStamped.DEGRADED
    assert homography.reason == given.homography.reason


def test_ros_reads_the_written_cameras_and_poses() -> None:
    pytest.importorskip("rclpy", reason="no ROS in this environment")
    from geometry_msgs.msg import PoseStamped
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CameraInfo

    camera = Intrinsics(500.0, 510.0, 320.5, 240.25)
    given = frame(3)
    message = camera_info_message(given, camera, baseline_m=0.12)
    info = deserialize_message(bytes(typestore().serialize_cdr(message, CAMERA_INFO)), CameraInfo)
    assert (info.width, info.height) == (given.width, given.height)
    assert info.distortion_model == "plumb_bob" and list(info.d) == [0.0] * 5
    assert intrinsics_of(calibration_of(info), given.width, given.height) == camera
    assert calibration_of(info).baseline == pytest.approx(0.12)
    pose = Pose.exp(np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]))
    raw = typestore().serialize_cdr(pose_message(1_500_000_000, "odom", pose), POSE_STAMPED)
    read = deserialize_message(bytes(raw), PoseStamped)
    assert (read.header.stamp.sec, read.header.stamp.nanosec) == (1, 500_000_000)
    assert read.header.frame_id == "odom" and read.pose.position.z == 3.0
    assert read.pose.orientation.w == pose.quaternion[3]


def two_cameras(path: Path) -> Path:
    with BagWriter(path) as writer:
        for k in range(3):
            writer.write("/left/image", 10 * k, image_message(frame(k)))
            if k:
                writer.write("/right/image", 10 * k + 5, image_message(frame(k + 10)))
        writer.write("/matcher/homography", 99, homography_message(result()))
    return path


def test_several_image_topics_are_listed_for_the_user_to_choose(tmp_path: Path) -> None:
    with BagReader(two_cameras(tmp_path / "two.mcap")) as reader:
        with pytest.raises(BagError, match=r"choose one: /left/image \(3\), /right/image \(2\)"):
            reader.choose()
        with pytest.raises(BagError, match=r"no topic of images '/middle'; it has: /left"):
            reader.choose("/middle")
        assert reader.choose("right/image").count == 2


def test_two_topics_are_read_merged_in_time(tmp_path: Path) -> None:
    with BagReader(two_cameras(tmp_path / "two.mcap")) as reader:
        topics = [reader.choose("/right/image"), reader.choose("/left/image")]
        messages = list(reader.messages(topics))
    assert [(m.topic[1], m.recorded) for m in messages] == [
        ("l", 0),
        ("l", 10),
        ("r", 15),
        ("l", 20),
        ("r", 25),
    ]


def test_a_recording_without_images_says_what_it_has(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "none.mcap") as writer:
        writer.write("/matcher/homography", 1, homography_message(result()))
    with (
        BagReader(tmp_path / "none.mcap") as reader,
        pytest.raises(BagError, match="no topic of images; its topics are: /matcher/homography"),
    ):
        reader.choose()


@pytest.mark.parametrize(
    ("name", "content"), [("a.mcap", b""), ("a.mcap", b"x" * 999), ("a.db3", b"x" * 999)]
)
def test_damaged_files_are_refused_by_name(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=name):
        BagReader(tmp_path / name)


@pytest.mark.parametrize("metadata", ["foo: [", "foo: 1", ""])
def test_broken_metadata_is_refused(metadata: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text(metadata)
    with pytest.raises(BagError, match="cannot be read"):
        BagReader(tmp_path)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"no metadata\.yaml"):
        BagReader(tmp_path)
    with pytest.raises(BagError, match="does not exist"):
        BagReader(tmp_path / "absent.mcap")
    (tmp_path / "photo.png").write_bytes(b"x" * 99)
    with pytest.raises(BagError, match=r"photo\.png cannot be read"):
        BagReader(tmp_path / "photo.png")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(BagError, match="ROS 1"):
        BagReader(tmp_path / "old.bag")


def test_an_existing_recording_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "taken.mcap"
    path.write_text("precious")
    with pytest.raises(BagError, match="exists already"):
        BagWriter(path)
    assert path.read_text() == "precious"
    with BagWriter(path, replace=True) as writer:
        writer.write("/image", 1, image_message(frame(1)))
    with BagReader(path) as reader:
        assert reader.choose().count == 1


def test_what_is_no_recording_is_never_replaced(tmp_path: Path) -> None:
    photographs, note = tmp_path / "photographs", tmp_path / "note.txt"
    photographs.mkdir()
    for file in (photographs / "1.png", note):
        file.write_text("precious")
    for path in (photographs, note):
        with pytest.raises(BagError, match="is no recording, and is not replaced"):
            BagWriter(path, replace=True)
    assert (photographs / "1.png").read_text() == note.read_text() == "precious"
    path = tmp_path / "folder"
    for replace in (False, True):
        with BagWriter(path, replace=replace) as writer:
            writer.write("/image", 1, image_message(frame(1)))
    assert (path / "metadata.yaml").is_file()


def test_a_recording_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / "half.mcap") as writer:
        writer.write("/image", 1, image_message(frame(1)))
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk_costs_the_new_recording_and_not_the_old_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with BagWriter(path) as writer:
        writer.write("/image", 1, image_message(frame(1)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with (
            pytest.raises(BagError, match="cannot be written"),
            BagWriter(path, replace=True) as writer,
        ):
            for k in range(99):
                writer.write("/image", k, image_message(frame(k, 200, 100)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [path]
    with BagReader(path) as reader:
        assert reader.choose().count == 1
