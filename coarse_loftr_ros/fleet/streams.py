"""Which streams of a recording are matched, and how."""

from __future__ import annotations

from pathlib import Path

from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.matching.pipeline import Pipeline
from coarse_loftr_ros.matching.result import StreamResult
from coarse_loftr_ros.odometry.observations import StereoMatches, TemporalMatches
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.errors import RecordingError
from coarse_loftr_ros.recordings.frame_sets import FrameSet
from coarse_loftr_ros.recordings.opening import choose_streams, is_bag
from coarse_loftr_ros.recordings.replays.cameras import ImageCameras, on_one_row
from coarse_loftr_ros.recordings.trajectories.matcher_streams import (
    stereo_matches_of,
    temporal_matches_of,
)

__all__ = ["RecordedStream", "streams_of"]

_EYES = (("left", "right"), ("infra1", "infra2"), ("cam0", "cam1"))


def streams_of(path: Path, settings: Settings) -> list[str | None]:
    """The streams that settings name, or that a recording has: one camera, or left and right.

    Raises:
        RecordingError: when the recording cannot be read.
    """
    both = settings.mode in ("auto", "stereo", "none")
    if settings.left:
        return [settings.left, settings.right] if both else [settings.left]
    if settings.topic:
        return [settings.topic]
    if not is_bag(path):
        return choose_streams(path, [None], both=both)
    try:
        with BagReader(path) as reader:
            names = [topic.name for topic in reader.image_topics]
    except BagError as error:
        raise RecordingError(str(error)) from error
    pairs = {
        (name, name.replace(left, right))
        for name in names
        for left, right in _EYES
        if left in name and name.replace(left, right) in names
    }
    if len(pairs) != 1:
        return [None]
    (pair,) = pairs
    if len(names) > 2:
        return [None]  # which of them is meant is for the settings to say
    return list(pair) if both else [pair[0]]


class RecordedStream:
    """Matches as the matcher node does it; see ``MatcherStream``.

    Args:
        pipeline: started over.
        cameras: of the images, which tell whether left and right are rectified.

    Attributes:
        latest: all that is known of the frames that were matched last.
        warnings: see ``MatcherStream``; kept empty, as results have the numbers.
    """

    def __init__(self, pipeline: Pipeline, cameras: ImageCameras) -> None:
        self._pipeline = pipeline
        self._cameras = cameras
        self.latest: StreamResult | None = None
        self.warnings: list[str] = []

    def match(self, frames: FrameSet) -> tuple[TemporalMatches | None, StereoMatches | None]:
        """See ``MatcherStream.match``."""
        self._cameras.passed()
        left, right = frames.left, frames.right
        if right is None:
            self.latest = result = StreamResult(self._pipeline.process(left))
        else:
            rows = on_one_row(*self._cameras.known(frames))
            self.latest = result = self._pipeline.process_stereo(left, right, rows)
        return (
            None if result.temporal is None else temporal_matches_of(result.temporal),
            None if result.stereo is None else stereo_matches_of(result.stereo),
        )
