"""What can be read of a recording is read, and what cannot is counted and named."""

import subprocess
import sys
from pathlib import Path

import mcap_builder as build
import numpy as np
import pytest
from rosbags.rosbag2.storage_mcap import zstd

from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.messages.names import CAMERA_INFO, IMAGE
from coarse_loftr_ros.recordings.bags.compression import MOST_BYTES
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.reader import BagReader, ImageTopic
from coarse_loftr_ros.recordings.bags.types import BagError, typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.opening import is_bag


def frame(number: int) -> Frame:
    image = np.random.default_rng(number).integers(0, 256, (8, 12), np.uint8)
    return Frame(image, 1_000_000_000 + number, "camera")


def cdr(number: int) -> bytes:
    return bytes(typestore().serialize_cdr(image_message(frame(number)), IMAGE))


def image(number: int, key: int = 1) -> bytes:
    """Record of an image that was recorded at 10 times its number."""
    return build.message(key, 10 * number, cdr(number))


# Frames behind each other, which are decompressed to more than is allowed.
BOMB = zstd.compress(bytes(2**24)) * (MOST_BYTES // 2**24 + 1)

TYPES = build.schema(1, IMAGE) + build.channel(1, 1, "/image")


def read(path: Path, topic: str | None = None) -> tuple[list[int], dict[str, int]]:
    """Times of recording of the images in a file, and counts of damage."""
    with BagReader(path) as reader:
        times = [message.recorded for message in reader.messages([reader.choose(topic)])]
        return times, {kind: damaged.count for kind, damaged in reader.damage.items()}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compression", ["", "zstd", "lz4"])
def test_chunks_without_an_index_are_read_by_scanning(compression: str, tmp_path: Path) -> None:
    one = build.chunk([TYPES, image(1), image(2)], 10, compression)
    two = build.chunk([image(3)], 30, compression)
    path = written(tmp_path / "a.mcap", build.mcap(one, two))
    with BagReader(path) as reader:
        assert reader.choose() == ImageTopic("/image", IMAGE, 3)
    assert read(path) == ([10, 20, 30], {})


def test_messages_outside_chunks_are_read_by_scanning(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mcap", build.mcap(TYPES, image(2), image(1), image(3)))
    assert read(path) == ([10, 20, 30], {})


def test_chunks_that_overlap_in_time_are_merged(tmp_path: Path) -> None:
    chunks = [
        build.chunk([TYPES, image(1), image(4)], 10),
        build.chunk([image(2), image(5)], 20),
        build.chunk([image(3)], 30),
    ]
    assert read(written(tmp_path / "a.mcap", build.mcap(*chunks)))[0] == [10, 20, 30, 40, 50]


def test_two_publishers_of_a_topic_are_one_topic(tmp_path: Path) -> None:
    again = build.channel(2, 1, "/image")
    chunk = build.chunk([TYPES, again, image(1, 1), image(2, 2), image(3, 1)])
    path = written(tmp_path / "a.mcap", build.mcap(chunk))
    with BagReader(path) as reader:
        assert reader.image_topics == [ImageTopic("/image", IMAGE, 3)]
    assert read(path) == ([10, 20, 30], {})


def test_a_topic_of_two_types_is_refused_and_one_of_no_image_beside_it_is_not(
    tmp_path: Path,
) -> None:
    other = build.schema(2, "std_msgs/msg/String") + build.channel(2, 2, "/image")
    path = written(tmp_path / "a.mcap", build.mcap(TYPES, other, image(1), image(2, 2)))
    assert read(path) == ([10], {})
    other = build.schema(2, "sensor_msgs/msg/CompressedImage") + build.channel(2, 2, "/image")
    path.write_bytes(build.mcap(TYPES, other, image(1)))
    with pytest.raises(BagError, match=r"/image is of two types: sensor_msgs/msg/Comp.* \(0\) and"):
        read(path)


@pytest.mark.parametrize("cut", [30, 40, 700, 1500])
def test_a_recording_that_was_cut_off_is_read_up_to_there(cut: int, tmp_path: Path) -> None:
    loose = build.mcap(TYPES, *(image(number) for number in range(1, 20)))
    path = written(tmp_path / "half.mcap", loose[:-cut])
    times, damage = read(path)
    assert times == [10 * number for number in range(1, len(times) + 1)]
    assert len(times) >= 19 - cut // 150 - 1
    assert damage == {"end": 1}
    with BagReader(path) as reader:
        assert "half.mcap is cut off or damaged at byte" in reader.damage["end"].example


def test_behind_a_gap_the_list_of_chunks_leads_on(tmp_path: Path) -> None:
    chunks = [
        build.chunk([TYPES, image(1)], 10),
        build.chunk([image(2)], 20),
        build.chunk([image(3)], 30),
    ]
    begin = build.MAGIC + build.header()
    offsets = np.cumsum([len(begin), *map(len, chunks)])
    index = b"".join(build.chunk_index(o, len(c)) for o, c in zip(offsets, chunks, strict=False))
    content = bytearray(begin + b"".join(chunks) + index + build.footer(int(offsets[-1])))
    content[offsets[1] + 5] = 0xFF  # the second chunk claims to be very long
    assert read(written(tmp_path / "a.mcap", bytes(content))) == ([10, 30], {"gap": 1})


def test_a_damaged_chunk_costs_its_messages(tmp_path: Path) -> None:
    good = build.chunk([TYPES, image(1)], 10)
    last = build.chunk([image(9)], 90)
    index = build.message_index(1, 2)
    for bad in (
        build.chunk([image(2), image(3)], 20, crc=7),
        build.chunk([image(2), image(3)], 20, size=2**60),
        build.chunk([image(2), image(3)], 20, "zstd", size=77),
        build.chunk([image(2), image(3)], 20, "brotli"),
    ):
        path = written(tmp_path / "a.mcap", build.mcap(good, bad + index, last))
        assert read(path) == ([10, 90], {"chunk": 2})


def test_a_damaged_message_costs_itself(tmp_path: Path) -> None:
    nonsense = build.message(1, 15, b"\x00\x01\x00\x00" + b"\xff" * 90)
    short = build.message(1, 16, b"")
    late = build.message(1, 2**63, cdr(3))
    timeless = bytearray(cdr(4))
    timeless[8:12] = b"\xff\xff\xff\xff"  # nanoseconds of the stamp
    records = [TYPES, image(1), nonsense, short, late, build.message(1, 17, bytes(timeless))]
    path = written(tmp_path / "a.mcap", build.mcap(build.chunk([*records, image(2)])))
    assert read(path) == ([10, 20], {"message": 4})


def test_a_damaged_page_of_a_database_costs_the_messages_on_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    with BagWriter(path) as writer:
        for number in range(1, 401):
            writer.write("/image", 10 * number, image_message(frame(number)))
    content = bytearray(path.read_bytes())
    place = content.index(cdr(200))
    content[place - place % 4096 : place - place % 4096 + 16] = b"\xff" * 16
    path.write_bytes(content)
    times, damage = read(path)
    assert len(times) > 350 and times == sorted(times)
    assert {10, 4000} <= set(times)
    assert damage == {"gap": 1}


@pytest.mark.parametrize("name", ["a.mcap.zstd", "a.db3.zstd", "a.mcap", "folder"])
def test_compressed_files_are_read(name: str, tmp_path: Path) -> None:
    plain = tmp_path / ("plain.db3" if ".db3" in name else "plain.mcap")
    with BagWriter(plain) as writer:
        for number in (1, 2):
            writer.write("/image", 10 * number, image_message(frame(number)))
    path = tmp_path / name
    packed = path
    if name == "folder":
        path.mkdir()
        packed = path / "folder_0.mcap.zstd"
        (path / "metadata.yaml").write_text(
            "rosbag2_bagfile_information:\n  version: 5\n  storage_identifier: mcap\n"
            "  relative_file_paths: [folder_0.mcap.zstd]\n"
            "  compression_format: zstd\n  compression_mode: FILE\n"
        )
    packed.write_bytes(zstd.compress(plain.read_bytes()))
    assert is_bag(path)
    assert read(path) == ([10, 20], {})
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(BagError, match="cannot be decompressed"):
        read(path)


def test_messages_that_are_compressed_one_by_one_are_read(tmp_path: Path) -> None:
    records = [TYPES, build.message(1, 10, zstd.compress(cdr(1))), build.message(1, 20, BOMB)]
    (tmp_path / "a_0.mcap").write_bytes(build.mcap(*records))
    (tmp_path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths: [a_0.mcap]\n"
        "  compression_format: zstd\n  compression_mode: MESSAGE\n"
    )
    assert read(tmp_path) == ([10], {"message": 1})


def test_a_recording_in_parts_is_read_without_the_part_that_is_gone(tmp_path: Path) -> None:
    for part in (0, 2):
        content = build.mcap(TYPES, image(3 * part + 1), image(3 * part + 2))
        (tmp_path / f"a_{part}.mcap").write_bytes(content)
    (tmp_path / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n"
        "  relative_file_paths: [a_0.mcap, old/place/a_1.mcap, a_2.mcap]\n"
    )
    assert read(tmp_path) == ([10, 20, 70, 80], {"file": 1})
    (tmp_path / "metadata.yaml").unlink()
    with pytest.raises(BagError, match=r"'ros2 bag reindex .* makes one, or name one file"):
        BagReader(tmp_path)
    (tmp_path / "a_2.mcap").unlink()
    assert read(tmp_path) == ([10, 20], {})


def test_what_is_of_ros_1_or_not_cdr_is_refused_in_words(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mcap", build.mcap(TYPES, profile="ros1"))
    with pytest.raises(BagError, match="ROS 1 recording"):
        BagReader(path)
    types = build.schema(1, IMAGE) + build.channel(1, 1, "/image", "protobuf")
    path.write_bytes(build.mcap(types, image(1)))
    with pytest.raises(BagError, match="topic /image is stored as 'protobuf'"):
        read(path)
    packed = written(tmp_path / "old.bag", b"#ROSBAG V2.0\n")
    with pytest.raises(BagError, match=r"'rosbags-convert --src old\.bag --dst NAME'"):
        BagReader(packed)


def test_camera_infos_are_those_beside_the_image_topic(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "a.mcap") as writer:
        for number, focal in enumerate((100.0, 200.0)):
            each = frame(number)
            info = camera_info_message(each, Intrinsics(focal, focal, 6.0, 4.0))
            writer.write("/left/image_raw", number, image_message(each))
            writer.write("/left/camera_info", number, info)
            writer.write("/camera_info", number, info)
    with BagReader(tmp_path / "a.mcap") as reader:
        infos = list(reader.camera_infos([reader.choose()]))
    assert [(each.topic, each.message.k[0]) for each in infos] == [
        ("/left/camera_info", 100.0),
        ("/left/camera_info", 200.0),
    ]
    assert {each.message.__msgtype__ for each in infos} == {CAMERA_INFO}


READER = """
import re, sys
from pathlib import Path
from coarse_loftr_ros.recordings.bags.reader import BagReader
with BagReader(Path(sys.argv[1])) as reader:
    print(sum(1 for _ in reader.messages(reader.image_topics)), reader.damage["chunk"].count)
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_lengths_and_bombs_cost_no_memory(tmp_path: Path) -> None:
    bombs = [
        build.record(
            6,
            build.struct.pack("<QQQI", 20, 20, size, 0)
            + build.text("zstd")
            + build.struct.pack("<Q", len(BOMB))
            + BOMB,
        )
        for size in (5_000, 2 * MOST_BYTES, 2**60)
    ]
    lying = build.chunk([image(3), build.message(1, 30, b"", claims=2**40)], 30)
    content = build.mcap(build.chunk([TYPES, image(1)], 10), *bombs, lying)
    path = written(tmp_path / "bomb.mcap", content)
    done = subprocess.run([sys.executable, "-c", READER, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found, peak = done.stdout.splitlines()
    assert found == "2 4"
    assert int(peak) < 300
