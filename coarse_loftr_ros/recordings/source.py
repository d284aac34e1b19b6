"""What every recording gives: frames in the order in which they were taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from coarse_loftr_ros.frame import Frame
from coarse_loftr_ros.recordings.cameras import Cameras
from coarse_loftr_ros.rectification import Calibration

__all__ = ["Rejected", "Source", "SourceImage"]


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
