"""The kinds of files that the commands read: how whole ones are made, and how each is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coarse_loftr_ros.backends.base import BackendError
from coarse_loftr_ros.commands.common.errors import UserError
from coarse_loftr_ros.images.decoding import ImageError
from coarse_loftr_ros.recordings.bags.types import BagError
from coarse_loftr_ros.recordings.errors import RecordingError
from damaged_files.bags import make_folders, make_mcap, make_sqlite, read_bag, read_folder
from damaged_files.commands import make_match, make_odometry, run_match, run_odometry, run_replay
from damaged_files.damage import damage_bytes, damage_text
from damaged_files.images import make_images, make_video, read_image, read_video
from damaged_files.models import make_graphs, make_model, read_graph, read_model
from damaged_files.sequences import (
    make_euroc,
    make_kitti,
    make_trajectories,
    make_tum,
    read_euroc,
    read_kitti,
    read_trajectory_file,
    read_tum,
)

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        name: for the table.
        make: writes whole files into a folder and returns those to damage, one per variant.
        read: reads a file as the commands do; whether only a part of it could be read.
        refusals: what the commands say as a sentence when ``read`` raises it.
        damage: of a file's bytes.
        share: of the number of files that is asked for; slow kinds take fewer.
    """

    name: str
    make: Callable[[Path], list[Path]]
    read: Callable[[Path], bool]
    refusals: tuple[type[Exception], ...]
    damage: Callable[[bytes, np.random.Generator], bytes] = damage_bytes
    share: float = 1.0


KINDS = [
    Kind("MCAP", make_mcap, read_bag, (BagError,)),
    Kind("sqlite3", make_sqlite, read_bag, (BagError,)),
    Kind("rosbag2 folder, zstd", make_folders, read_folder, (BagError,)),
    Kind("image", make_images, read_image, (ImageError, RecordingError)),
    Kind("KITTI's files", make_kitti, read_kitti, (RecordingError,), damage_text),
    Kind("EuRoC's files", make_euroc, read_euroc, (RecordingError,), damage_text),
    Kind("TUM's list", make_tum, read_tum, (RecordingError,), damage_text),
    Kind(
        "trajectory",
        make_trajectories,
        read_trajectory_file,
        (ValueError, OSError),
        damage_text,
    ),
    Kind("video", make_video, read_video, (RecordingError,)),
    Kind("model folder", make_model, read_model, (BackendError,), damage_text),
    Kind("ONNX graph", make_graphs, read_graph, (BackendError,), share=0.05),
    Kind("command replay", make_mcap, run_replay, (UserError,), share=0.05),
    Kind("command match", make_match, run_match, (UserError,), share=0.05),
    Kind("command odometry", make_odometry, run_odometry, (UserError,), damage_text, 0.05),
]
