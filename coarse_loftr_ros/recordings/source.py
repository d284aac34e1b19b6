"""What every recording gives: frames in the order in which they were taken, and their cameras."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.calibration import Calibration, CalibrationError
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.images.frame import Frame
from coarse_loftr_ros.recordings.input_report import InputReport

__all__ = ["ListedImage", "Source", "SourceImage", "decoded"]


@dataclass(frozen=True, eq=False)
class ListedImage:
    """An image of a recording before it is decoded.

    Attributes:
        stream: 0, or 1 for the right camera.
        number: of its frame set in the recording, from 0, whatever is left out.
        name: for the user.
        stamp: nanoseconds; ``None`` when the recording gives none that is a time.
        recorded: when it was recorded, nanoseconds.
        read: gives its grey levels uint8 [H, W]; raises ``ImageError``.
        frame_id: name of the camera's coordinate frame.
        encoding: how the camera sent it.
    """

    stream: int
    number: int
    name: str
    stamp: int | None
    recorded: int
    read: Callable[[], NDArray[np.uint8]]
    frame_id: str = "camera"
    encoding: str = "mono8"


@dataclass(frozen=True, eq=False)
class SourceImage:
    """One image on its way into the pipeline.

    Attributes:
        stream: 0, or 1 for the right camera.
        recorded: when it was recorded, nanoseconds.
        frame: decoded; its pixels are those that were stored.
        number: of its frame set in the recording, from 0, whatever was left out before it.
        name: for the user.
        calibration: its camera, in px of this image; ``None`` where the recording describes none.
        lacking: why there is none, where the recording tries.
    """

    stream: int
    recorded: int
    frame: Frame
    number: int
    name: str
    calibration: Calibration | None = None
    lacking: str = ""

    @property
    def stamp(self) -> int:
        """Of the frame, nanoseconds."""
        return self.frame.stamp


class Source(Protocol):
    """Frames in the order in which they were taken; of each stream the stamps rise."""

    description: str
    """What is read, for the user."""
    count: int | None
    """Images in all streams together, where that is known."""
    frame_sets: int | None
    """Sets of frames in the recording, also those without a usable image, where that is known."""
    report: InputReport
    """What took no part and what was assumed; filled while ``images`` is consumed."""
    timed: bool
    """Whether the stamps are the recording's and not those of an assumed rate."""
    raw: bool
    """Whether the images are known to be as the lens made them, neither undistorted nor aligned."""

    camera_info_topics: Sequence[str]
    """Where the camera of each stream is described to ROS, or would be."""

    def images(self) -> Iterator[SourceImage]:
        """The images of all streams."""
        ...

    def calibrations(self) -> list[Calibration]:
        """The camera of each stream, in px of its images; none where the recording has none.

        Raises:
            RecordingError: when it describes cameras, and does not say which of them took the
                images, or they are not calibrated.
        """
        ...


def decoded(
    images: Iterable[ListedImage],
    report: InputReport,
    camera: Callable[[ListedImage, int, int], Calibration | None],
) -> Iterator[SourceImage]:
    """Read images; those that are broken are left out and counted.

    Args:
        images: to read.
        report: counts them.
        camera: gives the camera of an image of a width and height in px; raises
            ``CalibrationError`` when what there is does not describe it.
    """
    for image in images:
        try:
            grey = image.read()
        except ImageError as error:
            report.reject(error.kind, image.name, str(error))
            continue
        frame = Frame(grey, image.stamp, image.frame_id, image.encoding)
        calibration, lacking = None, ""
        try:
            calibration = camera(image, frame.width, frame.height)
        except CalibrationError as error:
            lacking = str(error)
        yield SourceImage(
            image.stream, image.recorded, frame, image.number, image.name, calibration, lacking
        )
