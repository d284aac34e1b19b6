"""The message types of this project for programs without ROS.

The definitions repeat ``coarse_loftr_msgs/msg/*.msg`` without their comments: a bag has to be
written where the message package is not installed.
"""

from __future__ import annotations

from functools import cache

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

__all__ = [
    "CAMERA_INFO",
    "CORRESPONDENCES",
    "DEFINITIONS",
    "HOMOGRAPHY",
    "IMAGE",
    "ODOMETRY",
    "POSE",
    "RELATIVE_POSE",
    "TF",
    "BagError",
    "typestore",
]

CORRESPONDENCES = "coarse_loftr_msgs/msg/Correspondences"
HOMOGRAPHY = "coarse_loftr_msgs/msg/HomographyStamped"
RELATIVE_POSE = "coarse_loftr_msgs/msg/RelativePose"
IMAGE = "sensor_msgs/msg/Image"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
POSE = "geometry_msgs/msg/PoseStamped"
ODOMETRY = "nav_msgs/msg/Odometry"
TF = "tf2_msgs/msg/TFMessage"

DEFINITIONS = {
    CORRESPONDENCES: """\
std_msgs/Header header
std_msgs/Header reference_header
uint32 width
uint32 height
uint32 reference_width
uint32 reference_height
float32[] reference_points
float32[] current_points
float32[] confidence
uint8[] inlier
uint32[] track_id
""",
    HOMOGRAPHY: """\
uint8 OK=0
uint8 DEGRADED=1
uint8 LOST=2
std_msgs/Header header
std_msgs/Header reference_header
uint32 width
uint32 height
uint32 reference_width
uint32 reference_height
float64[9] matrix
uint32 match_count
uint32 inlier_count
float32 inlier_ratio
float32 rms_px
float32 coverage
uint8 status
string reason
""",
    RELATIVE_POSE: """\
uint8 OK=0
uint8 DEGRADED=1
uint8 LOST=2
uint8 SCALE_NONE=0
uint8 SCALE_UNIT=1
uint8 SCALE_METRIC=2
uint8 SCALE_GROUND_PLANE=3
uint8 SCALE_EXTERNAL=4
std_msgs/Header header
std_msgs/Header reference_header
geometry_msgs/PoseWithCovariance pose
uint32 match_count
uint32 landmark_count
uint32 inlier_count
uint8 scale
uint8 status
string reason
bool linear_velocity_measured
bool angular_velocity_measured
""",
}


class BagError(RuntimeError):
    """A recording that cannot be read or written, in words for the user."""


@cache
def typestore() -> Typestore:
    """The types of ROS 2 Kilted and those of this project."""
    store = get_typestore(Stores.ROS2_KILTED)
    for name, definition in DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store
