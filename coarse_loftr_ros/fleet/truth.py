"""The true path of a recording of a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from coarse_loftr_ros.fleet.settings import Settings
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.recordings.bags.reader import BagReader
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.opening import is_bag
from coarse_loftr_ros.recordings.source import Source
from coarse_loftr_ros.recordings.trajectories.trajectory import Trajectory
from coarse_loftr_ros.recordings.trajectories.truth import (
    recorded_path,
    true_path,
    truth_beside,
)

__all__ = ["find_truth"]


def find_truth(
    path: Path,
    settings: Settings,
    numbers: Mapping[int, int],
    source: Source,
    streams: Sequence[str | None],
) -> tuple[Trajectory | None, str]:
    """The true path at the images of a recording, or why there is none.

    Args:
        path: of the recording.
        settings: which say where truth is.
        numbers: of the images that were used, by their stamps.
        source: of the images.
        streams: that were read.
    """
    try:
        file = _file(path, settings)
        if file is not None:
            return true_path(file, numbers, source.frame_sets), ""
        if is_bag(path) and settings.truth_topic:
            with BagReader(path) as reader:
                mounting = mounting_of_camera(settings.mounting[:3], settings.mounting[3:])
                found = recorded_path(reader, settings.truth_topic, mounting)
            if found is not None:
                return found, ""
    except (ValueError, OSError, BagError) as error:
        return None, str(error)
    return None, "there is no true path"


def _file(path: Path, settings: Settings) -> Path | None:
    if settings.truth:
        named = settings.truth.replace("{folder}", str(path.parent)).replace("{stem}", path.stem)
        return Path(named)
    beside = truth_beside(path) if path.is_dir() else None
    if beside is None:
        beside = path.with_name(f"{path.stem}.tum")
    return beside if beside.is_file() else None
