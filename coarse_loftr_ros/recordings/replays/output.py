"""The recording that a replay writes: what the nodes would publish, and the cameras beside it."""

from __future__ import annotations

from coarse_loftr_ros.cameras.calibration import Calibration
from coarse_loftr_ros.matching.result import StreamResult
from coarse_loftr_ros.messages.names import CORRESPONDENCES, HOMOGRAPHY
from coarse_loftr_ros.recordings.bags.messages import (
    calibration_message,
    correspondences_message,
    homography_message,
)
from coarse_loftr_ros.recordings.bags.writer import BagWriter
from coarse_loftr_ros.recordings.cameras import counted_from_left
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.replays.cameras import ImageCameras
from coarse_loftr_ros.recordings.replays.odometry import ReplayOdometry
from coarse_loftr_ros.recordings.source import Source

__all__ = ["ReplayOutput"]


class ReplayOutput:
    """Writes one set of frames after the other.

    Args:
        writer: of the recording, open.
        node_name: of the matcher node, in the topics.
        source: of the images.
        cameras: of the images.
        odometry: writes what the odometry node would; ``None`` for nothing.
        stereo: whether there are two cameras.
    """

    def __init__(
        self,
        writer: BagWriter,
        node_name: str,
        source: Source,
        cameras: ImageCameras,
        odometry: ReplayOdometry | None,
        *,
        stereo: bool,
    ) -> None:
        self._topics = source.camera_info_topics
        self._cameras = cameras
        self._odometry = odometry
        self._left: Calibration | None = None
        self._name = "/" + node_name.strip("/")
        self._writer = writer
        self._stereo = stereo
        writer.add_topic(f"{self._name}/correspondences", CORRESPONDENCES)
        writer.add_topic(f"{self._name}/homography", HOMOGRAPHY)
        if self._stereo:
            writer.add_topic(f"{self._name}/stereo/correspondences", CORRESPONDENCES)

    def write(self, recorded: int, frames: FrameSet, result: StreamResult) -> None:
        """Write cameras, matches and odometry of a set of frames.

        Args:
            recorded: time of recording, nanoseconds.
            frames: the images.
            result: their matches.

        Raises:
            BagError: when the recording cannot be written.
        """
        self._write_cameras()
        writer, name = self._writer, self._name
        if result.stereo is not None:
            stereo = correspondences_message(result.stereo)
            writer.write(f"{name}/stereo/correspondences", recorded, stereo)
        temporal = result.temporal
        if temporal is not None:
            writer.write(f"{name}/correspondences", recorded, correspondences_message(temporal))
            writer.write(f"{name}/homography", recorded, homography_message(temporal))
        if self._odometry is None:
            return
        known = self._cameras.known(frames)
        used = known if self._stereo else known[:1]
        cameras = [] if None in used else list(used)
        for message in self._odometry.take(recorded, frames, result, cameras):
            writer.write(*message)

    def _write_cameras(self) -> None:
        for image in self._cameras.passed():
            calibration = image.calibration
            if calibration is None:
                continue
            if image.stream == 0:
                self._left = calibration
            rig = [calibration] if image.stream == 0 else [self._left, calibration]
            described = calibration if None in rig else counted_from_left(rig)[-1]
            message = calibration_message(image.frame, described)
            self._writer.write(self._topics[image.stream], image.recorded, message)
