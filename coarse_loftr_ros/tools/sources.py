"""Where the frames of a replay come from: a recording, a video file or folders of images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.bags.reader import BagReader, ImageTopic
from coarse_loftr_ros.bags.types import BagError
from coarse_loftr_ros.camera_info import calibration_of
from coarse_loftr_ros.evaluation.trajectory_files import parse_seconds
from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.image_decoding import ImageError, decode_compressed, decode_image
from coarse_loftr_ros.rectification import Calibration
from coarse_loftr_ros.tools.cameras import Cameras, cameras_of_calibrations, cameras_of_folder
from coarse_loftr_ros.tools.errors import UserError, as_user_error
from coarse_loftr_ros.tools.images import read_grey

__all__ = ["Source", "SourceImage", "decode", "open_source", "rejected_rows", "why_rejected"]

_BAG_FILES = (".mcap", ".db3")
_IMAGE_FILES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image on its way into the pipeline.

    Attributes:
        stream: 0, or 1 for the right eye.
        recorded: when it was recorded, nanoseconds.
        frame: decoded.
    """

    stream: int
    recorded: int
    frame: Frame


class Rejected(NamedTuple):
    """How many images were rejected for one cause, and the first of them in words."""

    count: int
    example: str


class Source(Protocol):
    """Frames in the order in which they were taken."""

    description: str
    """What is read, for the user."""
    count: int | None
    """Images in all streams together, where that is known."""
    rejected: dict[str, Rejected]
    """Images that could not be used, by kind of cause; filled while ``images`` is consumed."""

    def images(self) -> Iterator[SourceImage]:
        """The images of all streams."""
        ...

    def cameras(self) -> Cameras | None:
        """The rectified cameras as the source describes them; ``None`` where it does not."""
        ...

    def calibrations(self) -> list[Calibration]:
        """How raw images of each stream become rectified; none where it is not known."""
        ...


@contextmanager
def open_source(path: Path, streams: Sequence[str | None], rate: float) -> Iterator[Source]:
    """Open what ``path`` is.

    Args:
        path: a rosbag2 folder or file, a video file, or a folder of images.
        streams: for one stream its topic, or ``None`` for the only one there is; for a stereo
            pair both topics, or both sub-folders of a folder.
        rate: images per second of a folder without ``times.txt`` (a line of seconds per image),
            or of a video that does not say.

    Raises:
        UserError: when it is none of these, or does not have the streams.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if (path / "metadata.yaml").is_file() or path.suffix in _BAG_FILES:
        try:
            with BagReader(path) as reader:
                yield _Bag(reader, [reader.choose(name) for name in streams])
        except BagError as error:
            raise UserError(str(error)) from error
    elif path.is_dir():
        folders = [path / name if name else path for name in streams]
        yield _Folders(folders, path / "times.txt", rate)
    elif len(streams) > 1 or streams[0] is not None:
        raise UserError(f"{path} is a video file, which has no topics to choose from")
    else:
        yield _Video(path, rate)


def decode(message: Any, compressed: bool) -> NDArray[np.uint8]:
    """Grey levels uint8 [H, W] of a ``sensor_msgs/CompressedImage`` or ``sensor_msgs/Image``.

    Raises:
        ImageError: when it cannot be used.
    """
    return decode_compressed(message) if compressed else decode_image(message)


def rejected_rows(source: Source) -> list[tuple[str, str]]:
    """What was rejected, as rows of a table."""
    return [
        (f"rejected ({kind})", f"{rejected.count}, such as: {rejected.example}")
        for kind, rejected in source.rejected.items()
    ]


def why_rejected(source: Source) -> str:
    """What was rejected, as the end of a sentence; empty when nothing was."""
    causes = "; ".join(f"{r.count} x {r.example}" for r in source.rejected.values())
    return f": {causes}" if causes else ""


class _Bag:
    def __init__(self, reader: BagReader, topics: Sequence[ImageTopic]) -> None:
        self._reader = reader
        self._topics = list(topics)
        self.description = f"{reader.path} " + ", ".join(topic.name for topic in topics)
        self.count = sum(topic.count for topic in topics)
        self.rejected: dict[str, Rejected] = {}

    def images(self) -> Iterator[SourceImage]:
        stream = {topic.name: number for number, topic in enumerate(self._topics)}
        compressed = {topic.name: topic.compressed for topic in self._topics}
        for recorded in self._reader.messages(self._topics):
            message = recorded.message
            packed = compressed[recorded.topic]
            try:
                image = decode(message, packed)
            except ImageError as error:
                before = self.rejected.get(error.kind, Rejected(0, str(error)))
                self.rejected[error.kind] = Rejected(before.count + 1, before.example)
                continue
            encoding = message.format if packed else message.encoding
            frame = Frame(image, recorded.stamp, message.header.frame_id, encoding)
            yield SourceImage(stream[recorded.topic], recorded.recorded, frame)

    def cameras(self) -> Cameras | None:
        calibrations = self.calibrations()
        return cameras_of_calibrations(calibrations) if calibrations else None

    def calibrations(self) -> list[Calibration]:
        infos = [self._reader.camera_info(topic) for topic in self._topics]
        return [] if None in infos else [calibration_of(info) for info in infos]


class _Folders:
    """Folders whose k-th images, sorted as people sort, were taken at the same time."""

    def __init__(self, folders: Sequence[Path], times: Path, rate: float) -> None:
        self._files = [_image_files(folder) for folder in folders]
        longest = max(len(files) for files in self._files)
        self._stamps = _stamps(times, longest, rate)
        self._parent = times.parent
        self.description = ", ".join(str(folder) for folder in folders)
        self.count = sum(len(files) for files in self._files)
        self.rejected: dict[str, Rejected] = {}

    def images(self) -> Iterator[SourceImage]:
        for number, stamp in enumerate(self._stamps):
            for stream, files in enumerate(self._files):
                if number < len(files):
                    frame = Frame(read_grey(files[number]), stamp, "camera")
                    yield SourceImage(stream, stamp, frame)

    def cameras(self) -> Cameras | None:
        return cameras_of_folder(self._parent)

    def calibrations(self) -> list[Calibration]:
        return []


class _Video:
    def __init__(self, path: Path, rate: float) -> None:
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise UserError(
                f"{path} is neither a recording ({', '.join(_BAG_FILES)}) nor a video that "
                "OpenCV can read"
            )
        own = self._capture.get(cv2.CAP_PROP_FPS)
        self._period = 1e9 / (own if 0 < own < 1000 else rate)
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if count > 0 else None
        self.description = str(path)
        self.rejected: dict[str, Rejected] = {}

    def images(self) -> Iterator[SourceImage]:
        number = 0
        while True:
            good, image = self._capture.read()
            if not good:
                return
            grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            stamp = round(number * self._period)
            yield SourceImage(0, stamp, Frame(grey, stamp, "camera"))
            number += 1

    def cameras(self) -> Cameras | None:
        return None

    def calibrations(self) -> list[Calibration]:
        return []


def _stamps(times: Path, count: int, rate: float) -> list[int]:
    """Stamps of a folder's images, nanoseconds: of a file of seconds, or of a rate."""
    if not times.is_file():
        return [round(number * 1e9 / rate) for number in range(count)]
    with as_user_error(ValueError):
        stamps = [parse_seconds(word) for word in times.read_text().split()]
    if len(stamps) != count:
        raise UserError(f"{times} has {len(stamps)} times, and there are {count} images")
    return stamps


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    files = [file for file in folder.iterdir() if file.suffix.lower() in _IMAGE_FILES]
    if not files:
        raise UserError(f"{folder} is no recording (metadata.yaml) and has no images")
    return sorted(files, key=_natural)


def _natural(file: Path) -> list[tuple[int, str]]:
    """Order in which 2.png comes before 10.png."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
