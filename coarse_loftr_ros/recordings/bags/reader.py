"""Read the images of recordings without ROS."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.serde import SerdeError

from coarse_loftr_ros.messages.factory import stamp_ns
from coarse_loftr_ros.messages.names import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from coarse_loftr_ros.recordings.bags.compression import decompress
from coarse_loftr_ros.recordings.bags.damage import Damage, DamageCount, UnreadableError
from coarse_loftr_ros.recordings.bags.files import files_of, open_storage
from coarse_loftr_ros.recordings.bags.storage import Channel, Storage
from coarse_loftr_ros.recordings.bags.types import BagError, typestore

__all__ = ["BagReader", "ImageTopic", "RecordedMessage", "camera_info_topic"]

_IMAGE_TYPES = (IMAGE, COMPRESSED_IMAGE)
_LATEST_S = 2**31


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images in a recording.

    Attributes:
        name: of the topic.
        msgtype: ``sensor_msgs/msg/Image`` or ``sensor_msgs/msg/CompressedImage``.
        count: messages on it, of all its publishers.
    """

    name: str
    msgtype: str
    count: int

    @property
    def compressed(self) -> bool:
        """Whether the images are JPEG or PNG files."""
        return self.msgtype == COMPRESSED_IMAGE


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

    What is damaged is left out and counted in ``damage``; the rest is read. Memory is bounded by
    ``compression.MOST_BYTES``, whatever the file claims. Types are those of ROS 2 by their names;
    the definitions in the recording are not needed.

    Args:
        path: a rosbag2 folder, or one ``.mcap`` or ``.db3`` file, also compressed with zstd.

    Raises:
        BagError: when there is no such recording or nothing of it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._damage = Damage()
        self._storages: list[Storage] = []
        self._stack = ExitStack()
        try:
            with _readable(path):
                files = files_of(path)
            self._compressed = files.compressed_messages
            for file in files.paths:
                try:
                    with _readable(file):
                        self._storages.append(open_storage(file, self._stack))
                except BagError as error:
                    if len(files.paths) == 1:
                        raise
                    self._damage.add("file", file, str(error))
            if not self._storages:
                raise BagError(f"nothing of {path} can be read: {self._damage}")
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def damage(self) -> dict[str, DamageCount]:
        """What could not be read so far, by kind."""
        merged: dict[str, DamageCount] = {}
        for each in (self._damage, *(storage.damage for storage in self._storages)):
            for kind, found in each.found.items():
                before = merged.get(kind, DamageCount(0, found.example))
                merged[kind] = DamageCount(before.count + found.count, before.example)
        return merged

    @property
    def image_topics(self) -> list[ImageTopic]:
        """All topics of images, by name."""
        counts: dict[tuple[str, str], int] = {}
        for channel in self._channels():
            if channel.msgtype in _IMAGE_TYPES:
                key = channel.topic, channel.msgtype
                counts[key] = counts.get(key, 0) + channel.count
        return [ImageTopic(*key, count) for key, count in sorted(counts.items())]

    def choose(self, name: str | None = None) -> ImageTopic:
        """The image topic of that name, or the only one that there is.

        Raises:
            BagError: listing the image topics, when that does not decide it.
        """
        topics = self.image_topics
        if not topics:
            others = ", ".join(sorted({c.topic for c in self._channels()})) or "none"
            damage = "".join(f"; {each.example}" for each in self.damage.values())
            raise BagError(f"{self.path} has no topic of images; its topics are: {others}{damage}")
        listed = ", ".join(f"{topic.name} ({topic.count})" for topic in topics)
        chosen = topics
        if name is not None:
            chosen = [topic for topic in topics if topic.name.lstrip("/") == name.lstrip("/")]
        if not chosen:
            raise BagError(f"{self.path} has no topic of images '{name}'; it has: {listed}")
        if len({topic.name for topic in chosen}) > 1:
            raise BagError(f"{self.path} has several topics of images, choose one: {listed}")
        if len(chosen) > 1:
            kinds = " and ".join(f"{topic.msgtype} ({topic.count})" for topic in chosen)
            raise BagError(f"{self.path}: topic {chosen[0].name} is of two types: {kinds}")
        (topic,) = chosen
        for channel in self._channels():
            if (channel.topic, channel.msgtype) == (topic.name, topic.msgtype):
                _check_encoding(self.path, channel)
        return topic

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
            BagError: when the recording cannot be read any more.
        """
        return self._messages({(camera_info_topic(topic), CAMERA_INFO) for topic in topics})

    def messages(self, topics: Sequence[ImageTopic]) -> Iterator[RecordedMessage]:
        """Messages of some topics in the order in which they were recorded.

        Raises:
            BagError: when the recording cannot be read any more.
        """
        return self._messages({(topic.name, topic.msgtype) for topic in topics})

    def headed_messages(self, topic: str, msgtypes: Collection[str]) -> Iterator[RecordedMessage]:
        """Messages of a topic, of types that have a header, in the order of recording.

        Raises:
            BagError: when the recording cannot be read any more.
        """
        return self._messages({(topic, msgtype) for msgtype in msgtypes})

    def _channels(self) -> Iterator[Channel]:
        for storage in self._storages:
            yield from storage.channels.values()

    def _messages(self, wanted: Collection[tuple[str, str]]) -> Iterator[RecordedMessage]:
        for part, storage in enumerate(self._storages):
            channels = {
                key: channel
                for key, channel in storage.channels.items()
                if (channel.topic, channel.msgtype) in wanted and channel.encoding == "cdr"
            }
            number = 0
            with _readable(self.path):
                for key, recorded, raw in storage.messages(set(channels)):
                    number += 1
                    topic = channels[key].topic
                    try:
                        yield self._message(channels[key], recorded, raw)
                    except UnreadableError as error:
                        sentence = f"{self.path}: a message on {topic} cannot be read: {error}"
                        self._damage.add("message", (part, topic, number), sentence)

    def _message(self, channel: Channel, recorded: int, raw: bytes) -> RecordedMessage:
        if self._compressed:
            raw = decompress(raw, "zstd")
        try:
            message: Any = typestore().deserialize_cdr(raw, channel.msgtype)
        except (SerdeError, IndexError) as error:
            raise UnreadableError(str(error)) from error
        time = message.header.stamp
        if not (0 <= time.sec < _LATEST_S and time.nanosec < 1_000_000_000):
            raise UnreadableError(
                f"its stamp is {time.sec} s and {time.nanosec} ns, which is no time"
            )
        return RecordedMessage(channel.topic, recorded, stamp_ns(time), message, raw)


def camera_info_topic(topic: ImageTopic) -> str:
    """Where image_transport has the ``camera_info`` of an image topic.

    ``/left/image_raw`` and ``/left/image_raw/compressed`` have ``/left/camera_info``.
    """
    image = topic.name.removesuffix("/compressed") if topic.compressed else topic.name
    return f"{image.rpartition('/')[0]}/camera_info"


def _check_encoding(path: Path, channel: Channel) -> None:
    if channel.encoding != "cdr":
        raise BagError(
            f"{path}: topic {channel.topic} is stored as '{channel.encoding}'; ROS 2 stores cdr"
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which recording is meant when the system does not give it, or has no room for it."""
    try:
        yield
    except OSError as error:
        raise BagError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise BagError(f"{path} cannot be read: it needs more memory than there is") from error
