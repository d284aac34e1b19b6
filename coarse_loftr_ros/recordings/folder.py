"""Folders of images as a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from heapq import merge
from pathlib import Path

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.recordings import euroc, kitti
from coarse_loftr_ros.recordings.cameras import folder_calibrations
from coarse_loftr_ros.recordings.errors import NoImageError, RecordingError
from coarse_loftr_ros.recordings.image_files import (
    find_images,
    has_orientation,
    read_bytes,
    read_grey,
)
from coarse_loftr_ros.recordings.input_report import InputReport
from coarse_loftr_ros.recordings.listing import list_folders
from coarse_loftr_ros.recordings.source import ListedImage, SourceImage, decoded
from coarse_loftr_ros.recordings.stamp_order import in_stamp_order

__all__ = ["FolderSource", "find_stereo_folders", "has_images"]


def find_stereo_folders(root: Path, *, both: bool = True) -> list[str | None]:
    """Sub-folders of left and right in a known layout; ``[None]`` for a folder without them.

    Args:
        root: with KITTI's layout, or EuRoC's, or another.
        both: whether the right one is wanted.
    """
    for left, right in (*kitti.PAIRS, *euroc.PAIRS):
        if (root / left).is_dir():
            return [left, right] if both and (root / right).is_dir() else [left]
    return [None]


def has_images(root: Path) -> bool:
    """Whether a folder has images, in itself or in a layout that is known."""
    return (
        find_stereo_folders(root) != [None]
        or (root / "rgb.txt").is_file()
        or bool(find_images(root))
    )


class FolderSource:
    """The images of one folder, or of those of left and right; see ``Source``.

    Args:
        root: of the recording.
        streams: sub-folder of each stream, or ``None`` for the root itself.
        rate: images per second where times are written nowhere.
        report: filled while the images are read.

    Raises:
        RecordingError: when there are no images, or they do not fit together.
    """

    def __init__(
        self, root: Path, streams: Sequence[str | None], rate: float, report: InputReport
    ) -> None:
        self._root = root
        self._folders = [root / name if name else root for name in streams]
        listing = list_folders(root, self._folders, rate, report)
        self._images = listing.images
        self.description = ", ".join(str(folder) for folder in self._folders)
        self.count = sum(len(images) for images in listing.images)
        self.frame_sets = listing.frame_sets
        self.timed = listing.timed
        self.raw = all(euroc.find_sensor(folder) for folder in self._folders)
        self.report = report
        sides = ("/left", "/right") if len(self._folders) > 1 else ("",)
        self.camera_info_topics = [f"{side}/camera_info" for side in sides]

    def images(self) -> Iterator[SourceImage]:
        """See ``Source``."""
        for images in self._images:
            self._look_for_orientation(images[0].path)
        try:
            calibrations = self.calibrations()
        except RecordingError:  # whoever asks for them gets it
            calibrations = []

        def camera(image: ListedImage, width: int, height: int) -> Calibration | None:
            if not calibrations:
                return None
            calibrations[image.stream].check_size(width, height)
            return calibrations[image.stream]

        streams = [
            in_stamp_order(self._listed(stream), self.report) for stream in range(len(self._images))
        ]
        return decoded(
            merge(*streams, key=lambda image: (image.stamp, image.stream)),
            self.report,
            camera,
        )

    def calibrations(self) -> list[Calibration]:
        """See ``Source``."""
        sizes = [self._size(stream) for stream in range(len(self._images))]
        return folder_calibrations(self._root, self._folders, sizes)

    def _listed(self, stream: int) -> Iterator[ListedImage]:
        for file in self._images[stream]:
            path = file.path
            near = path.is_relative_to(self._root)
            name = str(path.relative_to(self._root) if near else path)
            read = partial(read_grey, path)
            yield ListedImage(stream, file.number, name, file.stamp, file.stamp or 0, read)

    def _size(self, stream: int) -> tuple[int, int]:
        """(width, height) of the first image that can be read, px."""
        first = ""
        for file in self._images[stream]:
            try:
                height, width = read_grey(file.path).shape
            except ImageError as error:
                first = first or str(error)
                continue
            return width, height
        raise NoImageError(f"{self._folders[stream]} has no image that can be read: {first}")

    def _look_for_orientation(self, path: Path) -> None:
        try:
            tagged = has_orientation(read_bytes(path))
        except ImageError:
            return
        if tagged:
            self.report.notice(
                f"{path} has a tag that asks viewers to turn it: images are taken as stored, which "
                "is what a calibration is of"
            )
