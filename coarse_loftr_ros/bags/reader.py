"""Read the images of recordings without ROS."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag2 import ReaderError

from coarse_loftr_ros.bags.types import CAMERA_INFO, BagError, typestore

__all__ = ["BagReader", "ImageTopic", "RecordedMessage"]

_MCAP_MAGIC = b"\x89MCAP0\r\n"
_IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images in a recording.

    Attributes:
        name: of the topic.
        msgtype: ``sensor_msgs/msg/Image`` or ``sensor_msgs/msg/CompressedImage``.
        count: messages on it.
    """

    name: str
    msgtype: str
    count: int

    @property
    def compressed(self) -> bool:
        """Whether the images are JPEG or PNG files."""
        return self.msgtype.endswith("CompressedImage")


@dataclass(frozen=True, eq=False)
class RecordedMessage:
    """A message of a recording.

    Attributes:
        topic: its topic.
        recorded: time of recording, nanoseconds.
        stamp: of its header, nanoseconds.
        message: its fields, with the names that ROS gives them; ``data`` is an array.
        raw: the serialised message (CDR).
    """

    topic: str
    recorded: int
    stamp: int
    message: Any
    raw: bytes


class BagReader:
    """Reads images of a rosbag2 recording; a context manager.

    Args:
        path: a rosbag2 folder, or one ``.mcap`` or ``.db3`` file.

    Raises:
        BagError: when there is no such recording or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise BagError(f"{path} does not exist")
        if path.is_dir() and not (path / "metadata.yaml").is_file():
            raise BagError(f"{path} is no recording: it has no metadata.yaml")
        if path.suffix == ".bag":
            raise BagError(f"{path} is a ROS 1 recording; rosbags-convert makes a ROS 2 one of it")
        # A recording describes its own types, unless it is a sqlite3 file older than ROS Iron.
        with _readable(self.path):
            self._reader = AnyReader([path], default_typestore=typestore())
            self._reader.open()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.close()

    @property
    def image_topics(self) -> list[ImageTopic]:
        """All topics of images, by name."""
        counts: dict[tuple[str, str], int] = {}
        for connection in self._reader.connections:  # of one topic, one per publisher
            if connection.msgtype in _IMAGE_TYPES:
                key = connection.topic, connection.msgtype
                counts[key] = counts.get(key, 0) + connection.msgcount
        return [ImageTopic(*key, count) for key, count in sorted(counts.items())]

    def choose(self, name: str | None = None) -> ImageTopic:
        """The image topic of that name, or the only one that there is.

        Raises:
            BagError: listing the image topics, when that does not decide it.
        """
        topics = self.image_topics
        if not topics:
            others = ", ".join(sorted({c.topic for c in self._reader.connections})) or "none"
            raise BagError(f"{self.path} has no topic of images; its topics are: {others}")
        if name is None and len(topics) == 1:
            return topics[0]
        listed = ", ".join(f"{topic.name} ({topic.count})" for topic in topics)
        if name is None:
            raise BagError(f"{self.path} has several topics of images, choose one: {listed}")
        for topic in topics:
            if topic.name.lstrip("/") == name.lstrip("/"):
                return topic
        raise BagError(f"{self.path} has no topic of images '{name}'; it has: {listed}")

    def camera_info(self, topic: ImageTopic) -> Any | None:
        """The first ``sensor_msgs/CameraInfo`` beside an image topic; ``None`` without one.

        Raises:
            BagError: where the recording is damaged.
        """
        first = next(self.camera_infos([topic]), None)
        return None if first is None else first.message

    def camera_infos(self, topics: Sequence[ImageTopic]) -> Iterator[RecordedMessage]:
        """All ``sensor_msgs/CameraInfo`` beside some image topics, by time of recording.

        Raises:
            BagError: where the recording is damaged.
        """
        return self._messages({(camera_info_topic(topic), CAMERA_INFO) for topic in topics})

    def messages(self, topics: Sequence[ImageTopic]) -> Iterator[RecordedMessage]:
        """Messages of some topics in the order in which they were recorded.

        Raises:
            BagError: where the recording is damaged.
        """
        return self._messages({(topic.name, topic.msgtype) for topic in topics})

    def _messages(self, wanted: Collection[tuple[str, str]]) -> Iterator[RecordedMessage]:
        connections = [
            c for c in self._reader.connections if (c.topic, c.msgtype) in wanted and c.msgcount
        ]
        if not connections:  # of which the library would make all that there are
            return
        with _readable(self.path):
            for connection, recorded, raw in self._reader.messages(connections):
                message = self._reader.deserialize(raw, connection.msgtype)
                time = message.header.stamp
                stamp = int(time.sec) * 1_000_000_000 + int(time.nanosec)
                yield RecordedMessage(connection.topic, recorded, stamp, message, bytes(raw))


def camera_info_topic(topic: ImageTopic) -> str:
    """Where image_transport has the ``camera_info`` of an image topic.

    ``/left/image_raw`` and ``/left/image_raw/compressed`` have ``/left/camera_info``.
    """
    image = topic.name.removesuffix("/compressed") if topic.compressed else topic.name
    return f"{image.rpartition('/')[0]}/camera_info"


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which recording is meant when the library cannot read it."""
    try:
        yield
    except (AnyReaderError, ReaderError) as error:
        if _is_cut_off(path):
            raise BagError(
                f"{path} is cut off before its end, as when recording is ended by force; "
                "'mcap recover' saves what it holds"
            ) from error
        raise BagError(f"{path} cannot be read: {error}") from error


def _is_cut_off(path: Path) -> bool:
    """Whether it is an MCAP file that begins as one and does not end as one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        begin = file.read(len(_MCAP_MAGIC))
        file.seek(max(0, path.stat().st_size - len(_MCAP_MAGIC)))
        return begin == _MCAP_MAGIC != file.read()
