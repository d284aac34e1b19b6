"""Parameters of every node that subscribes to images."""

from __future__ import annotations

from coarse_loftr_ros.node.common.parameter import Change, Parameter

__all__ = ["IMAGE_RELIABILITY", "IMAGE_TRANSPORT"]

IMAGE_TRANSPORT = Parameter(
    "image_transport",
    "raw",
    "sensor_msgs/Image, or sensor_msgs/CompressedImage from <image>/compressed.",
    choices=("raw", "compressed"),
    change=Change.UNCONFIGURED,
)

IMAGE_RELIABILITY = Parameter(
    "image_reliability",
    "best_effort",
    "Reliability asked of image publishers; best_effort receives from every publisher.",
    choices=("best_effort", "reliable"),
    change=Change.UNCONFIGURED,
)
