"""Which kind of recording a path is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from coarse_loftr_ros.recordings.bag import BagSource
from coarse_loftr_ros.recordings.bags.files import is_storage_name
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.folder import FolderSource, find_stereo_folders, has_images
from coarse_loftr_ros.recordings.image_files import is_image_name
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.source import Source
from coarse_loftr_ros.recordings.video import VideoSource

__all__ = ["choose_streams", "is_bag", "open_source"]


def is_bag(path: Path) -> bool:
    """Whether a file or folder is meant as a recording of ROS, readable or not.

    A folder of images stays one when a recording was written into it.
    """
    if path.is_dir():
        return (path / "metadata.yaml").is_file() or (
            any(map(is_storage_name, path.iterdir())) and not has_images(path)
        )
    return is_storage_name(path) or path.suffix == ".bag"


def choose_streams(path: Path, streams: Sequence[str | None], *, both: bool) -> list[str | None]:
    """The streams that were named, or those of a folder's layout where that is known.

    Args:
        path: of the recording.
        streams: as they were named; one ``None`` where none was.
        both: whether both cameras are wanted where there are two.
    """
    if list(streams) != [None] or not path.is_dir() or is_bag(path):
        return list(streams)
    return find_stereo_folders(path, both=both)


@contextmanager
def open_source(
    path: Path, streams: Sequence[str | None], rate: float, report: InputReport | None = None
) -> Iterator[Source]:
    """Open what ``path`` is.

    Args:
        path: a rosbag2 folder or file, a video file, or a folder of images in the layout of KITTI,
            EuRoC or TUM, or in another one.
        streams: for one stream its topic, or ``None`` for the only one there is; for a stereo
            pair both topics, or both sub-folders of a folder.
        rate: images per second of a folder or video without times.
        report: filled while the images are read; a new one unless given.

    Raises:
        RecordingError: when it is none of these, or does not have the streams.
    """
    report = report or InputReport()
    try:
        there = path.exists()
    except OSError as error:  # such as a name that is too long
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    if not there:
        raise RecordingError(f"{path} does not exist")
    if is_bag(path):
        try:
            reader = BagReader(path)
        except BagError as error:
            raise RecordingError(str(error)) from error
        with reader:
            try:
                topics = [reader.choose(name) for name in streams]
            except BagError as error:
                raise RecordingError(str(error)) from error
            if len(set(topics)) < len(topics):
                raise RecordingError(f"{path}: left and right are both {topics[0].name}")
            yield BagSource(reader, topics, report)
    elif path.is_dir():
        yield FolderSource(path, streams, rate, report)
    elif len(streams) > 1 or streams[0] is not None:
        raise RecordingError(f"{path} is one file, which has no topics to choose from")
    elif is_image_name(path.name):
        raise RecordingError(f"{path} is one image; give the folder that it is in")
    else:
        with closing(VideoSource(path, rate, report)) as video:
            yield video
