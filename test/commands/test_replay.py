"""`coarse-loftr replay`: every frame, in order, the same on every run."""

import json
import re
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.matching.homography import transfer
from coarse_loftr_ros.messages.names import CORRESPONDENCES, HOMOGRAPHY
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.types import typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.rendered.flight import Flight


def recorded(path: Path) -> list[tuple[str, int, bytes]]:
    """Everything in a recording, as bytes."""
    with AnyReader([path]) as reader:
        return [(c.topic, time, bytes(raw)) for c, time, raw in reader.messages()]


def messages(path: Path, topic: str) -> list:
    with AnyReader([path]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(connections)]


def stamp(header) -> int:
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def row(done, name: str) -> str:
    """A value of the printed table."""
    (value,) = re.findall(rf"^  {re.escape(name)} {{3,}}(.*)$", done.stdout, re.MULTILINE)
    return value


@pytest.fixture(scope="module")
def replayed(run_tool, flight_bag: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("replayed") / "out.mcap"
    done = run_tool("replay", flight_bag, "-o", output)
    assert done.returncode == 0, done.stderr
    assert row(done, "images") == "10"
    assert row(done, "matched") == "9"
    return output


def test_two_runs_write_the_same_bytes(
    run_tool, flight_bag: Path, replayed: Path, tmp_path: Path
) -> None:
    again = tmp_path / "out.mcap"
    assert run_tool("replay", flight_bag, "-o", again).returncode == 0
    first = recorded(replayed)
    assert len(first) == 18
    assert recorded(again) == first
    assert again.read_bytes() == replayed.read_bytes()


def test_every_frame_is_answered_in_order_under_the_node_s_topics(
    replayed: Path, flight: Flight
) -> None:
    for topic, msgtype in (
        ("/matcher/correspondences", CORRESPONDENCES),
        ("/matcher/homography", HOMOGRAPHY),
    ):
        answers = messages(replayed, topic)
        assert [stamp(m.header) for m in answers] == flight.stamps[1:]
        assert [stamp(m.reference_header) for m in answers] == flight.stamps[:-1]
        assert {m.__msgtype__ for m in answers} == {msgtype}
    times = [time for topic, time, _ in recorded(replayed) if topic == "/matcher/homography"]
    assert times == [each + 1_000_000 for each in flight.stamps[1:]]


def test_the_homographies_are_near_the_truth(replayed: Path, flight: Flight) -> None:
    corners = np.array([[0, 0], [319, 0], [319, 255], [0, 255]], float)
    errors = []
    for message in messages(replayed, "/matcher/homography"):
        truth = flight.between(stamp(message.reference_header), stamp(message.header))
        shift = transfer(message.matrix.reshape(3, 3), corners) - transfer(truth, corners)
        errors.append(np.linalg.norm(shift, axis=1).mean())
    assert np.median(errors) < 1.0


def test_sqlite3_gives_what_mcap_gives(
    run_tool, flight: Flight, replayed: Path, tmp_path: Path
) -> None:
    with BagWriter(tmp_path / "flight", storage="sqlite3") as writer:
        for frame in flight.frames():
            writer.write("/image", frame.stamp + 1_000_000, image_message(frame))
    assert (tmp_path / "flight" / "flight.db3").is_file()
    done = run_tool("replay", tmp_path / "flight", "-o", tmp_path / "out.db3")
    assert done.returncode == 0, done.stderr
    assert recorded(tmp_path / "out.db3") == recorded(replayed)


def test_a_keyframe_serves_many_frames(run_tool, flight_bag: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mcap"
    done = run_tool("replay", flight_bag, "-o", output, "--pairing", "keyframe")
    assert done.returncode == 0, done.stderr
    answers = messages(output, "/matcher/correspondences")
    references = [stamp(m.reference_header) for m in answers]
    assert len(set(references)) < len(references) == 9
    assert row(done, "references") == str(len(set(references)))
    # The same id is the same point for as long as the reference stays.
    first, second = answers[0], answers[1]
    assert references[0] == references[1]
    points = [
        dict(zip(m.track_id, m.reference_points.reshape(-1, 2), strict=True))
        for m in (first, second)
    ]
    common = points[0].keys() & points[1].keys()
    assert len(common) > 20
    assert all((points[0][k] == points[1][k]).all() for k in common)


def test_stereo_matches_left_with_right_and_with_the_left_before(
    run_tool, flight: Flight, tmp_path: Path
) -> None:
    frames = list(flight.frames())
    with BagWriter(tmp_path / "stereo.mcap") as writer:
        for k in range(3):
            left, right = frames[k], frames[k + 1]
            late = Frame(right.image, left.stamp + 2_000_000, "right")
            writer.write("/left/image_raw", left.stamp, image_message(left))
            if k != 1:
                writer.write("/right/image_raw", late.stamp, image_message(late))
    output = tmp_path / "out.mcap"
    eyes = ("--left", "/left/image_raw", "--right", "/right/image_raw")
    done = run_tool("replay", tmp_path / "stereo.mcap", "-o", output, *eyes)
    assert done.returncode == 0, done.stderr
    answers = messages(output, "/matcher/stereo/correspondences")
    assert [stamp(m.reference_header) for m in answers] == [frames[0].stamp, frames[2].stamp]
    assert [stamp(m.header) - stamp(m.reference_header) for m in answers] == [2_000_000] * 2
    assert {m.header.frame_id for m in answers} == {"right"}
    for topic in ("/matcher/correspondences", "/matcher/homography"):
        (answer,) = messages(output, topic)
        assert stamp(answer.reference_header) == frames[0].stamp
        assert stamp(answer.header) == frames[2].stamp
    assert row(done, "without a partner") == "1: /left/image_raw #1"


def test_rows_of_rectified_eyes_are_held_to_each_other(
    run_tool, flight: Flight, tmp_path: Path
) -> None:
    left = next(flight.frames())
    folder = tmp_path / "pair"
    for eye, down in (("left", 0), ("right", 6)):
        (folder / eye).mkdir(parents=True)
        cv2.imwrite(str(folder / eye / "1.png"), np.roll(left.image, (down, -9), (0, 1)))
    eyes = ("--left", "left", "--right", "right")
    free = run_tool("replay", folder, *eyes)
    held = run_tool("replay", folder, *eyes, "--row-tolerance", "1.5")
    assert int(row(free, "left with right, median")) > 50
    assert int(row(held, "left with right, median")) < 10
    assert int(row(held, "off their row")) > 50


def test_rows_are_held_to_each_other_by_default_where_the_cameras_say_so(
    run_tool, flight: Flight, tmp_path: Path
) -> None:
    """As the matcher node does it."""
    left = next(flight.frames())
    camera = Intrinsics(300.0, 300.0, 159.5, 127.5)
    eyes = ("--left", "/left/image", "--right", "/right/image")
    off_row = {}
    for baseline in (None, 0.0, 0.2):
        path = tmp_path / f"{baseline}.mcap"
        with BagWriter(path) as writer:
            for eye, down in (("left", 0), ("right", 6)):
                image = np.ascontiguousarray(np.roll(left.image, (down, -9), (0, 1)))
                frame = Frame(image, left.stamp, eye)
                writer.write(f"/{eye}/image", 1, image_message(frame))
                if baseline is not None:
                    place = baseline if eye == "right" else 0.0
                    info = camera_info_message(frame, camera, place)
                    writer.write(f"/{eye}/camera_info", 1, info)
        off_row[baseline] = int(row(run_tool("replay", path, *eyes), "off their row"))
    assert off_row[None] == off_row[0.0] == 0
    assert off_row[0.2] > 50


def test_an_odometry_needs_cameras_and_a_recording_to_write(
    refusal, flight_bag: Path, tmp_path: Path
) -> None:
    output = ("-o", tmp_path / "out.mcap")
    assert "name it with -o" in refusal("replay", flight_bag, "--odometry")
    assert "without a calibration" in refusal("replay", flight_bag, "--odometry", *output)
    stereo = refusal("replay", flight_bag, "--odometry", "stereo", *output)
    assert "--odometry stereo needs two streams" in stereo
    mounting = ("--odometry", "--mounting", "1,2,3")
    assert "X,Y,Z in m and ROLL" in refusal("replay", flight_bag, *mounting, *output)
    assert list(tmp_path.iterdir()) == []


def test_odometry_of_one_camera_is_written_without_tf_where_lengths_are_no_metres(
    run_tool, kitti_folder: Path, tmp_path: Path
) -> None:
    for altitude, transforms in ((), 0), (("--altitude", "10"), 10):
        output = tmp_path / f"{transforms}.mcap"
        options = ("--odometry", "planar", *altitude)
        done = run_tool("replay", kitti_folder, "-o", output, *options)
        assert done.returncode == 0, done.stderr
        topics = [topic for topic, _, _ in recorded(output)]
        for topic in ("/odometry/odometry", "/odometry/relative_pose", "/camera_info"):
            assert topics.count(topic) == 10, topic
        assert topics.count("/tf") == transforms


def test_two_image_topics_are_listed(run_tool, flight: Flight, tmp_path: Path) -> None:
    frame = next(flight.frames())
    with BagWriter(tmp_path / "two.mcap") as writer:
        for topic in ("/b", "/a"):
            writer.write(topic, 1, image_message(frame))
    done = run_tool("replay", tmp_path / "two.mcap")
    assert done.returncode == 2
    assert "choose one: /a (1), /b (1)" in done.stderr


def test_compressed_images_are_replayed_and_broken_ones_counted(
    run_tool, flight: Flight, tmp_path: Path
) -> None:
    types = typestore().types
    with BagWriter(tmp_path / "jpeg.mcap") as writer:
        for k, frame in enumerate(flight.frames()):
            data = cv2.imencode(".jpg", frame.image)[1].reshape(-1)
            message = types["sensor_msgs/msg/CompressedImage"](
                header=image_message(frame).header,
                format="mono8; jpeg compressed ",
                data=data[: len(data) // 2] if k == 4 else data,
            )
            writer.write("/image/compressed", frame.stamp, message)
    done = run_tool("replay", tmp_path / "jpeg.mcap")
    assert done.returncode == 0, done.stderr
    assert (row(done, "images"), row(done, "matched")) == ("9", "8")
    assert row(done, "rejected (compressed)").startswith("1, such as: /image/compressed #4: ")


def test_a_recording_of_broken_images_is_refused(run_tool, flight: Flight, tmp_path: Path) -> None:
    message = image_message(next(flight.frames()))
    message.encoding = "32FC7"
    with BagWriter(tmp_path / "odd.mcap") as writer:
        writer.write("/image", 1, message)
    done = run_tool("replay", tmp_path / "odd.mcap")
    assert done.returncode == 2
    assert "32FC7" in done.stderr and done.stdout == ""


@pytest.fixture(scope="module")
def pictures(flight: Flight, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flight's frames as files 1.png ... 10.png in a folder `left`."""
    folder = tmp_path_factory.mktemp("pictures") / "left"
    folder.mkdir()
    for k, frame in enumerate(flight.frames()):
        cv2.imwrite(str(folder / f"{k + 1}.png"), frame.image)
    return folder


def test_a_folder_is_replayed_in_the_order_people_expect(
    run_tool, pictures: Path, replayed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mcap"
    done = run_tool("replay", pictures, "-o", output, "--rate", "10")
    assert done.returncode == 0, done.stderr
    answers = messages(output, "/matcher/homography")
    assert [stamp(m.header) for m in answers] == [k * 100_000_000 for k in range(1, 10)]
    # 10.png came last: the same images in the same order give the same matrices.
    expected = messages(replayed, "/matcher/homography")
    for ours, theirs in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(ours.matrix, theirs.matrix)


def test_a_video_is_replayed(run_tool, flight: Flight, tmp_path: Path) -> None:
    size = (flight.width, flight.height)
    path = tmp_path / "flight.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, size)
    for frame in flight.frames():
        writer.write(cv2.cvtColor(frame.image, cv2.COLOR_GRAY2BGR))
    writer.release()
    done = run_tool("replay", path, "-o", tmp_path / "out.mcap")
    assert done.returncode == 0, done.stderr
    answers = messages(tmp_path / "out.mcap", "/matcher/homography")
    assert [stamp(m.header) for m in answers] == [k * 100_000_000 for k in range(1, 10)]
    assert row(done, "OK") == "9"


def test_a_replay_without_an_image_leaves_no_recording(
    refusal, flight: Flight, tmp_path: Path
) -> None:
    bag = tmp_path / "odd.mcap"
    with BagWriter(bag) as writer:
        message = image_message(next(iter(flight.frames())))
        message.encoding = "odd7"
        writer.write("/image", 1, message)
    assert "'odd7' is not known" in refusal("replay", bag, "-o", tmp_path / "out.mcap")
    assert [file.name for file in tmp_path.iterdir()] == ["odd.mcap"]


def test_what_is_read_is_not_replaced(refusal, flight_bag: Path, tmp_path: Path) -> None:
    bag = tmp_path / "bag.mcap"
    content = flight_bag.read_bytes()
    bag.write_bytes(content)
    assert "is what is read" in refusal("replay", bag, "-o", bag, "--force")
    assert bag.read_bytes() == content


@pytest.mark.parametrize(
    ("option", "value"),
    [("--node-name", "a b"), ("--tolerance-ms", "nan"), ("--tolerance-ms", -1), ("--rate", "inf")],
)
def test_options_with_bad_values_are_refused_by_name(
    refusal, flight_bag: Path, option: str, value: object
) -> None:
    assert f"{option} is " in refusal("replay", flight_bag, option, value)


def test_cameras_that_cease_to_serve_cost_the_odometry_of_their_images_alone(
    run_tool, flight: Flight, tmp_path: Path
) -> None:
    camera = Intrinsics(300.0, 300.0, 159.5, 127.5)
    path, output, report = (tmp_path / name for name in ("in.mcap", "out.mcap", "report.json"))
    with BagWriter(path) as writer:
        for number, frame in enumerate(islice(flight.frames(), 6)):
            for eye, place in (("left", 0.0), ("right", -0.2 if number == 3 else 0.2)):
                image = np.ascontiguousarray(np.roll(frame.image, round(-45 * abs(place)), 1))
                eyes = Frame(image, frame.stamp, eye)
                writer.write(f"/{eye}/image", frame.stamp, image_message(eyes))
                info = camera_info_message(eyes, camera, place)
                writer.write(f"/{eye}/camera_info", frame.stamp, info)
    options = ("--left", "/left/image", "--right", "/right/image", "--odometry", "--json", report)
    done = run_tool("replay", path, "-o", output, *options)
    assert done.returncode == 0, done.stderr
    topics = [topic for topic, _, _ in recorded(output)]
    assert topics.count("/matcher/correspondences") == 5
    assert topics.count("/odometry/odometry") == 5
    rejected = json.loads(report.read_text())["input"]["rejected"]["odometry"]
    assert rejected["count"] == 1 and "P[3] of the right camera" in rejected["example"]
    strict = run_tool("replay", path, "-o", tmp_path / "strict.mcap", *options, "--strict")
    assert strict.returncode == 2 and not (tmp_path / "strict.mcap").exists()
