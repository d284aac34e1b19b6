"""The recording that a replay writes: what the nodes would publish, and the cameras beside it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import TracebackType

from coarse_loftr_ros.bags.messages import (
    calibration_message,
    correspondences_message,
    homography_message,
)
from coarse_loftr_ros.bags.reader import camera_info_topic_of
from coarse_loftr_ros.bags.types import CORRESPONDENCES, HOMOGRAPHY, ODOMETRY, RELATIVE_POSE
from coarse_loftr_ros.bags.writer import BagWriter
from coarse_loftr_ros.odometry.frames import mounting_of_camera
from coarse_loftr_ros.odometry.pose import Pose
from coarse_loftr_ros.recordings.cameras import cameras_of_calibrations
from coarse_loftr_ros.recordings.moments import Moment
from coarse_loftr_ros.recordings.source import Source
from coarse_loftr_ros.rectification import Calibration
from coarse_loftr_ros.result import StreamResult
from coarse_loftr_ros.tools.errors import UserError
from coarse_loftr_ros.tools.odometry_setup import choose_mode, find_cameras, make_odometry
from coarse_loftr_ros.tools.replay_cameras import ImageCameras
from coarse_loftr_ros.tools.replay_odometry import ReplayOdometry, RobotFrames
