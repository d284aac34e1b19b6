"""Folders of images as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.image_decoding import ImageError
from coarse_loftr_ros.recordings.cameras import Cameras, cameras_of_folder
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.image_files import find_images, read_grey
from coarse_loftr_ros.recordings.source import Rejected, SourceImage
from coarse_loftr_ros.recordings.times import parse_seconds
from coarse_loftr_ros.rectification import Calibration

__all__ = ["FolderSource"]


class FolderSource:
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
        """See ``Source``."""
        for number, stamp in enumerate(self._stamps):
            for stream, files in enumerate(self._files):
                if number < len(files):
                    try:
                        frame = Frame(read_grey(files[number]), stamp, "camera")
                    except ImageError as error:
                        raise RecordingError(str(error)) from error
                    yield SourceImage(stream, stamp, frame)

    def cameras(self) -> Cameras | None:
        """See ``Source``."""
        return cameras_of_folder(self._parent)

    def calibrations(self) -> list[Calibration]:
        """See ``Source``."""
        return []


def _stamps(times: Path, count: int, rate: float) -> list[int]:
    """Stamps of a folder's images, nanoseconds: of a file of seconds, or of a rate."""
    if not times.is_file():
        return [round(number * 1e9 / rate) for number in range(count)]
    try:
        stamps = [parse_seconds(word) for word in times.read_text().split()]
    except ValueError as error:
        raise RecordingError(f"{times}: {error}") from error
    if len(stamps) != count:
        raise RecordingError(f"{times} has {len(stamps)} times, and there are {count} images")
    return stamps


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RecordingError(f"{folder} is not a folder")
    files = find_images(folder)
    if not files:
        raise RecordingError(f"{folder} is no recording (metadata.yaml) and has no images")
    return files
