"""Bags: MCAP, sqlite3 and folders of rosbag2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.recordings.bag import decode
from coarse_loftr_ros.recordings.bags.messages import camera_info_message, image_message
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import typestore
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from damaged_files.content import CAMERA, frames

__all__ = ["make_folders", "make_mcap", "make_sqlite", "read_bag", "read_folder"]


def _record(write: Callable[[str, int, object], None]) -> None:
    compressed = typestore().types["sensor_msgs/msg/CompressedImage"]
    for frame in frames():
        message = image_message(frame)
        write("/image", frame.stamp, message)
        write("/camera_info", frame.stamp, camera_info_message(frame, CAMERA))
        jpeg = cv2.imencode(".jpg", frame.image)[1].reshape(-1)
        packed = compressed(header=message.header, format="jpeg", data=jpeg)
        write("/small/compressed", frame.stamp, packed)


def _packed(folder: Path, mode: CompressionMode) -> Path:
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(mode, CompressionFormat.ZSTD)
    topics: dict = {}
    with writer:

        def write(topic: str, time: int, message: object) -> None:
            if topic not in topics:
                topics[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=typestore()
                )
            data = typestore().serialize_cdr(message, message.__msgtype__)
            writer.write(topics[topic], time, data)

        _record(write)
    return folder


def make_mcap(folder: Path) -> list[Path]:
    """A plain file, one with compressed chunks, and one without its end."""
    plain = folder / "plain.mcap"
    with BagWriter(plain) as writer:
        _record(writer.write)
    chunks = _packed(folder / "chunks", CompressionMode.STORAGE) / "chunks.mcap"
    # Without its end a file has neither summary nor index.
    unfinished = folder / "unfinished.mcap"
    unfinished.write_bytes(plain.read_bytes()[:-1500])
    return [plain, chunks, unfinished]


def make_sqlite(folder: Path) -> list[Path]:
    """A plain file."""
    with BagWriter(folder / "plain.db3") as writer:
        _record(writer.write)
    return [folder / "plain.db3"]


def make_folders(folder: Path) -> list[Path]:
    """Folders with compressed messages and with a compressed file."""
    for mode in (CompressionMode.MESSAGE, CompressionMode.FILE):
        _packed(folder / mode.name, mode)
    message, file = folder / "MESSAGE", folder / "FILE"
    return [message / "metadata.yaml", file / "metadata.yaml", file / "FILE.mcap.zstd"]


def read_bag(path: Path) -> bool:
    """Read all images and calibrations of a bag."""
    lost = 0
    with BagReader(path) as reader:
        topics = reader.image_topics
        if not topics:
            reader.choose()
        for message in reader.messages(topics):
            try:
                compressed = message.message.__msgtype__.endswith("CompressedImage")
                decode(message.message, compressed)
            except ImageError:
                lost += 1
        list(reader.camera_infos(topics))
        return lost > 0 or bool(reader.damage)


def read_folder(path: Path) -> bool:
    """Read the bag of a file in its folder."""
    return read_bag(path.parent)
