"""Which kind of recording a path is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coarse_loftr_ros.bags.reader import BagReader
from coarse_loftr_ros.bags.types import BagError
from coarse_loftr_ros.recordings.bag import BAG_FILES, BagSource
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.folder import FolderSource
from coarse_loftr_ros.recordings.source import Source
from coarse_loftr_ros.recordings.video import VideoSource

__all__ = ["open_source"]


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
        RecordingError: when it is none of these, or does not have the streams.
    """
    if not path.exists():
        raise RecordingError(f"{path} does not exist")
    if (path / "metadata.yaml").is_file() or path.suffix in BAG_FILES:
        try:
            with BagReader(path) as reader:
                yield BagSource(reader, [reader.choose(name) for name in streams])
        except BagError as error:
            raise RecordingError(str(error)) from error
    elif path.is_dir():
        folders = [path / name if name else path for name in streams]
        yield FolderSource(folders, path / "times.txt", rate)
    elif len(streams) > 1 or streams[0] is not None:
        raise RecordingError(f"{path} is a video file, which has no topics to choose from")
    else:
        yield VideoSource(path, rate)
